"""The page of one run: its state and the cause, what its curves show, and its settings, logs, samples and events."""

from collections.abc import Mapping
from types import ModuleType

import streamlit as st
from alignment_api.spec.status import ENDED

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.facts.status import phase_of
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.one_run import attempts, configuration, curves, evaluation, findings, head, logs, metrics, samples

LIVE_SECONDS = 2
# A run that has ended may be started again, so it is still read, but less often.
ENDED_SECONDS = 15
TAB = "tab"
TABS: Mapping[str, ModuleType] = {
    "Curves": curves,
    "All metrics": metrics,
    "Evaluation": evaluation,
    "Samples": samples,
    "Config": configuration,
    "Logs": logs,
    "Events and attempts": attempts,
}
"""What each tab shows: its module shows it, and says what it was drawn from."""


def show() -> None:
    """Show the run that the query parameter `job` names."""
    identity = st.query_params.get("job", "")
    listing = cache.listing()
    job = listing.find(identity)
    if job is None:
        st.fragment(_wait_for, run_every=LIVE_SECONDS)(identity)
        return
    show_failures(listing.failures)
    head.show(job, listing.guidance)
    findings.show(identity)
    tabs = st.tabs(list(TABS), key=TAB, on_change="rerun", bind="query-params")
    name, tab = next((name, tab) for name, tab in zip(TABS, tabs, strict=True) if tab.open)
    drawn = _moment(identity, name)
    with tab:
        st.fragment(TABS[name].show)(identity)
    pause = ENDED_SECONDS if phase_of(job) in ENDED else LIVE_SECONDS
    st.fragment(_watch, run_every=pause)(identity, name, drawn)


def _watch(identity: str, name: str, drawn: object) -> None:
    """Draw the page again when something has changed; this part reads, and has no elements that could fade meanwhile."""
    if _moment(identity, name) != drawn:
        st.rerun()


def _moment(identity: str, name: str) -> object:
    """Return all that the page is drawn from."""
    listing = cache.listing()
    job = listing.find(identity)
    return job and (listing.failures, head.moment(job), curves.moment(identity), TABS[name].moment(identity))


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
    if listing.problems:
        st.text(f"No run that can be read has the id {identity}; this page shows it as soon as its file can be read:")
    else:
        st.text(f"No run has the id {identity}: {listing.guidance.missing}")
    for problem in listing.problems:
        show_notice("Unreadable", "orange", problem)


show()
