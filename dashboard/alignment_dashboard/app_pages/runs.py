"""The first page: counts of jobs, the jobs that need attention, and a table of all jobs."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from alignment_api.metrics import LOSS, REWARD_ACCURACY, REWARD_MARGIN
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Guidance, Listing, identify
from alignment_dashboard.facts.status import (
    BADGES,
    Attention,
    attention,
    headlines,
    percent_of,
    phase_of,
    status_of,
    time_left,
    write_reason,
    write_stages,
)
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.text import plain
from alignment_dashboard.units import shorten, write_age, write_number

COUNTED = (("Running", ("Running", "Restarting")), ("Waiting", ("Pending", "Queued", "Suspended")), ("Succeeded", ("Succeeded",)))
ATTENTION_ROWS = 5
MESSAGE_LENGTH = 300
# Streamlit shows ten rows by default; a longer table gets a height in pixels, most of a screen.
ROWS_SHOWN, TALL_PIXELS = 10, 620
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def show() -> None:
    """Draw the page."""
    st.title("Alignment jobs", anchor=False)
    opened = st.session_state.pop("open_job", None)
    if opened:
        st.switch_page("app_pages/run.py", query_params={"job": opened})
    _live()


@st.fragment(run_every=2)
def _live() -> None:
    if st.session_state.get("open_job"):
        st.rerun()
    listing, now = cache.listing(), datetime.now(UTC)
    show_failures(listing.failures)
    for problem in listing.problems:
        show_notice("Unreadable", "orange", problem)
    if not listing.jobs:
        _show_nothing(listing)
        return
    jobs = sorted(listing.jobs, key=_order)
    found = [(job, why) for job in jobs if (why := attention(job, now, listing.guidance))]
    _show_counts(jobs, len(found))
    _show_attention(found)
    _show_table(jobs, now)


def _order(job: AlignmentJob) -> tuple[bool, float, str]:
    started = status_of(job).start_time or job.metadata.creation_timestamp or LONG_AGO
    return phase_of(job) in ENDED, -started.timestamp(), job.metadata.name


def _show_nothing(listing: Listing) -> None:
    if listing.complete:
        _show_first_steps(listing.guidance)
    elif not listing.failures:
        st.text("Reading the jobs …")


def _show_first_steps(guidance: Guidance) -> None:
    st.subheader(guidance.empty, anchor=False)
    st.text(guidance.explanation)
    st.code(guidance.command, language="shell")
    st.text(guidance.elsewhere)


def _show_counts(jobs: list[AlignmentJob], needing_attention: int) -> None:
    phases: Counter[str] = Counter(phase_of(job) for job in jobs)
    with st.container(horizontal=True, gap="medium"):
        for label, counted in COUNTED:
            st.metric(label, sum(phases[phase] for phase in counted), width="content")
        st.metric("Needs attention", needing_attention, width="content")


def _show_attention(found: list[tuple[AlignmentJob, Attention]]) -> None:
    if not found:
        return
    st.subheader("Needs attention", anchor=False)
    for job, why in found[:ATTENTION_ROWS]:
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            badge = BADGES[phase_of(job)]
            st.badge(badge.label, color=badge.colour)
            st.page_link("app_pages/run.py", label=f"**{plain(job.metadata.name)}**", query_params={"job": identify(job)})
            st.text(shorten(f"{why.reason}: {why.message}", MESSAGE_LENGTH), width="stretch")
    if len(found) > ATTENTION_ROWS:
        st.caption(f"and {len(found) - ATTENTION_ROWS} more below")


def _show_table(jobs: list[AlignmentJob], now: datetime) -> None:
    st.subheader("All jobs", anchor=False)
    # A click arrives as a row number of the table as it was drawn; since then another job may have moved to that row.
    st.session_state["drawn_jobs"] = [identify(job) for job in jobs]
    st.dataframe(
        [_row(job, now) for job in jobs],
        key="jobs",
        on_select=_open_selected,
        selection_mode=["single-row", "single-cell"],
        height="auto" if len(jobs) <= ROWS_SHOWN else TALL_PIXELS,
        hide_index=True,
        placeholder="–",
        column_config=_columns(),
        alt="All jobs with status, stages, progress and latest metrics",
    )
    st.caption("Click a row to open the job.")


def _open_selected() -> None:
    selection = st.session_state["jobs"].selection
    rows = [*selection.rows, *(row for row, _ in selection.cells)]
    drawn = st.session_state.get("drawn_jobs", [])
    if rows and rows[0] < len(drawn):
        st.session_state["open_job"] = drawn[rows[0]]


def _row(job: AlignmentJob, now: datetime) -> dict[str, object]:
    status, metrics = status_of(job), headlines(job)
    return {
        "Job": job.metadata.name,
        "Status": [BADGES[phase_of(job)].label],
        "Stages": write_stages(job),
        "Progress": percent_of(job),
        "Time left": time_left(job, now),
        "Loss": write_number(metrics.get(LOSS)),
        "Margin": write_number(metrics.get(REWARD_MARGIN)),
        "Accuracy": write_number(metrics.get(REWARD_ACCURACY)),
        "Model": status.model or (job.spec.model.uri if job.spec.model else None),
        "Started": write_age(status.start_time, now),
        "Namespace": job.metadata.namespace or "default",
        "Message": shorten(write_reason(status.reason, status.message), MESSAGE_LENGTH),
    }


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Status": column.MultiselectColumn(
            options=[badge.label for badge in BADGES.values()], color=[badge.colour for badge in BADGES.values()], width=120
        ),
        "Progress": column.ProgressColumn(min_value=0, max_value=100, format="%d%%", width=120),
        "Loss": column.TextColumn(alignment="right", help="Latest training loss"),
        "Margin": column.TextColumn(alignment="right", help="Latest reward margin in training"),
        "Accuracy": column.TextColumn(alignment="right", help="Share of pairs in which the chosen answer has the higher reward"),
        "Model": column.TextColumn(width="medium"),
        "Message": column.TextColumn(width="large"),
    }


show()
