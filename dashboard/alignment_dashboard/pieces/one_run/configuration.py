"""The tab with every setting of a run, where each comes from, and the run as YAML to copy."""

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.facts.one_run.origins import clone_name, settings, write_clone, write_resolved

TABLE_HEIGHT, YAML_HEIGHT = 460, 380


def moment(_identity: str) -> object:
    """Return nothing: the head is drawn from the whole job, and so are the settings."""
    return None


def show(identity: str) -> None:
    """Show the settings of a run."""
    job = cache.listing().find(identity)
    if job is None:
        return
    known = settings(job)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search settings", key="setting", placeholder="Search, such as beta", live=True, bind="query-params", width=360
        )
        sources = st.pills("From", list(dict.fromkeys(one.source for one in known)), selection_mode="multi", key="from")
    words = (search or "").lower().split()
    found = [
        one
        for one in known
        if (not sources or one.source in sources) and all(word in f"{one.field} {one.value}".lower() for word in words)
    ]
    st.dataframe(
        [{"Field": one.field, "Value": one.value, "From": one.source, "Because": one.reason} for one in found],
        hide_index=True,
        height=min(TABLE_HEIGHT, 38 + 35 * max(1, len(found))),
        column_config={"Because": st.column_config.TextColumn(width="large")},
        alt="The settings of the run, and where each comes from",
    )
    resolved, clone = st.columns(2)
    with resolved, st.expander("As YAML, with every value", key="resolved-yaml"):
        st.code(write_resolved(job), language="yaml", height=YAML_HEIGHT)
    with clone, st.expander(f"Clone as {clone_name(job.metadata.name)}", key="clone-yaml"):
        st.code(write_clone(job, clone_name(job.metadata.name)), language="yaml", height=YAML_HEIGHT)
