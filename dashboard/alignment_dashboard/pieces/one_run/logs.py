"""The tab with the end of a stage's log, and the command that follows it."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.data.source import workspace
from alignment_dashboard.facts.one_run.commands import follow_log
from alignment_dashboard.facts.one_run.log_lines import matching
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.pieces.one_run.stage_choice import charted, choose_stage
from alignment_dashboard.text import visible

HEIGHT = 400


def moment(identity: str) -> object:
    """Return what the logs are drawn from."""
    job = cache.listing().find(identity)
    return [cache.log(identity, stage)[:2] for stage in (charted(job) if job else [])]


def show(identity: str) -> None:
    """Show the newest lines of the log of a stage."""
    job = cache.listing().find(identity)
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with row:
        stage = choose_stage(identity)
    if job is None or stage is None:
        st.text("There is no log yet.")
        return
    known = cache.log(identity, stage)
    if known.problem:
        show_notice("Log", "orange", known.problem)
    with row:
        search = st.text_input("Search the log", key="log-search", placeholder="Search, such as error", live=True, width=360)
        st.download_button(
            "Download", known.value, f"{job.metadata.name}-{stage}.log", "text/plain", on_click="ignore", disabled=not known.value
        )
    found = matching(known.value, search or "")
    if found.note:
        st.caption(found.note)
    if found.text:
        # The newest lines are at the end, and a reader came for them.
        with st.container(height=HEIGHT, border=False, autoscroll=True):
            st.code(visible(found.text), language=None)
    elif not known.value:
        st.text("There is no log yet.")
    st.caption("Follow it live")
    st.code(follow_log(job, stage, workspace()), language="shell", wrap_lines=True)
