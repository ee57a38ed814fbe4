"""The page of one run: its state and the cause, what its curves show, and its settings, logs, samples and events."""

from collections.abc import Callable, Mapping

import streamlit as st
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.facts.status import current_stage, phase_of
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.one_run import attempts, configuration, curves, findings, head, logs, metrics, samples

LIVE_SECONDS = 2
# A run that has ended may be started again, so it is still read, but less often.
ENDED_SECONDS = 15
TAB = "tab"
TABS: Mapping[str, Callable[[str], None]] = {
    "Curves": curves.show,
    "All metrics": metrics.show,
    "Samples": samples.show,
    "Config": configuration.show,
    "Logs": logs.show,
    "Events and attempts": attempts.show,
}
"""What each tab shows, given the run's identity."""


def show() -> None:
    """Show the run that the query parameter `job` names."""
    identity = st.query_params.get("job", "")
    job = cache.listing().find(identity)
    if job is None:
        st.fragment(_wait_for, run_every=LIVE_SECONDS)(identity)
        return
    pause = ENDED_SECONDS if phase_of(job) in ENDED else LIVE_SECONDS
    st.fragment(_show_head, run_every=LIVE_SECONDS)(identity, _drawn(job))
    st.fragment(findings.show, run_every=pause)(identity)
    tabs = st.tabs(list(TABS), key=TAB, on_change="rerun", bind="query-params")
    for tab, part in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                st.fragment(part, run_every=pause)(identity)


def _drawn(job: AlignmentJob) -> tuple[str, str | None]:
    """Return what decides which parts the page has, and how often they are read."""
    stage = current_stage(job)
    return phase_of(job), stage.name if stage else None


def _show_head(identity: str, drawn: tuple[str, str | None]) -> None:
    listing = cache.listing()
    job = listing.find(identity)
    if job is None:
        _show_missing(identity, listing)
        return
    if _drawn(job) != drawn:
        st.rerun()
    show_failures(listing.failures)
    head.show(job, listing.guidance)


def _wait_for(identity: str) -> None:
    listing = cache.listing()
    if listing.find(identity):
        st.rerun()
    _show_missing(identity, listing)


def _show_missing(identity: str, listing: Listing) -> None:
    if not identity:
        st.title("No run chosen", anchor=False)
        st.text("Choose one from the list of runs.")
        return
    show_failures(listing.failures)
    if not listing.complete:
        st.text("This page shows the run as soon as the jobs can be read.")
        return
    st.title("Run not found", anchor=False)
    st.text(f"No run has the id {identity}: {listing.guidance.missing}")
    for problem in listing.problems:
        show_notice("Unreadable", "orange", problem)


show()
