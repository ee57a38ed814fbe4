"""The page that compares runs: what differs, how they trained, what they reached, and which is the best."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import streamlit as st
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.choice import Comparison, choose, default_stage, stages_in, without_stage
from alignment_dashboard.facts.comparison.finals import Finals, finals, table
from alignment_dashboard.facts.comparison.labels import labels
from alignment_dashboard.facts.comparison.verdict import doubts, verdict
from alignment_dashboard.facts.configuration import parameters
from alignment_dashboard.facts.links import jobs_in
from alignment_dashboard.facts.status import phase_of, stages_of
from alignment_dashboard.pieces.configuration_table import show_configuration
from alignment_dashboard.pieces.final_table import choose_rows, download_finals, show_finals
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.overlaid_curves import show_curves
from alignment_dashboard.pieces.run_rail import BASELINE, HIDDEN, JOBS, show_rail
from alignment_dashboard.pieces.sweep_views import show_matrix, show_scatter
from alignment_dashboard.text import plain

LIVE_SECONDS = 3
# Runs that have ended may be started again, and a store that was away comes back.
ENDED_SECONDS = 60
VIEWS = CURVES, MATRIX, SCATTER = ("curves", "matrix", "scatter")
HOW_TO_CHOOSE = (
    "Choose at least two runs: tick them in the list of runs and follow its link Compare, or write their ids into the "
    "address, as in /compare?jobs=ID,ID."
)


class Reached(NamedTuple):
    """What the runs reached in one stage, and what could not be read."""

    runs: dict[str, Finals]
    problem: str | None
    as_of: datetime


def show() -> None:
    """Show the comparison that the address asks for."""
    comparison = _chosen()
    st.fragment(_watch, run_every=LIVE_SECONDS)(_fingerprint(comparison))
    show_failures(cache.listing().failures)
    for sentence in comparison.sentences:
        show_notice("Left out", "orange", sentence)
    if len(comparison.jobs) < 2:
        st.title("Compare runs", anchor=False)
        st.text(HOW_TO_CHOOSE)
        st.page_link("app_pages/runs.py", label="Runs", icon=":material/list:")
        return
    names, looks = labels(comparison.jobs), cache.looks()
    stage, view = _show_head(comparison)
    if stage is None:
        st.text("None of these runs has a stage that trains.")
        return
    pause = LIVE_SECONDS if any(phase_of(job) not in ENDED for job in comparison.jobs) else ENDED_SECONDS
    st.fragment(_show_verdict, run_every=pause)(comparison, stage)
    rail, content = st.columns([1, 4], gap="medium")
    with rail:
        show_rail(comparison, names, looks, jobs_in(st.query_params.get(HIDDEN)))
    with content:
        show_configuration(comparison, names, looks)
        st.fragment(_show_view, run_every=pause)(comparison, stage, view)
        st.fragment(_show_results, run_every=pause)(comparison, stage)


def _chosen() -> Comparison:
    return choose(cache.listing(), jobs_in(st.query_params.get(JOBS)), st.query_params.get(BASELINE))


def _fingerprint(comparison: Comparison) -> tuple[object, ...]:
    """Return what the parts of the page that do not refresh themselves were drawn from."""
    runs = tuple((identify(job), phase_of(job), tuple(parameters(job).items())) for job in comparison.jobs)
    return runs, comparison.sentences, cache.listing().failures


def _watch(drawn: tuple[object, ...]) -> None:
    if _fingerprint(_chosen()) != drawn:
        st.rerun()


def _show_head(comparison: Comparison) -> tuple[str | None, str]:
    """Show what is compared and in which view; return the stage and the view."""
    jobs = comparison.jobs
    names, usual = stages_in(jobs), default_stage(jobs)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(f"Compare {len(jobs)} runs", anchor=False, width="content")
        stage = _choose("Stage", names, usual, "stage") if usual else None
        view = _choose("View", VIEWS, CURVES, "view")
        shown = {"jobs": ",".join(identify(job) for job in jobs)}
        st.page_link("app_pages/samples.py", label="Samples side by side", query_params=shown, icon=":material/notes:")
    return stage, view


def _choose(label: str, options: Sequence[str], usual: str, key: str) -> str:
    chosen = st.segmented_control(
        label, options, default=usual, required=True, key=key, bind="query-params", label_visibility="collapsed"
    )
    return str(chosen or usual)


def _show_verdict(comparison: Comparison, stage: str) -> None:
    reached = _reached(comparison.jobs, stage)
    best = verdict(table(comparison.jobs, reached.runs, comparison.baseline))
    if best:
        st.text(best)
    missing = without_stage(comparison.jobs, stage)
    if missing:
        st.text(missing)


def _show_view(comparison: Comparison, stage: str, view: str) -> None:
    names, looks = labels(comparison.jobs), cache.looks()
    if view == CURVES:
        show_curves(comparison, stage, names, looks, jobs_in(st.query_params.get(HIDDEN)))
        return
    reached = _reached(comparison.jobs, stage)
    if view == MATRIX:
        show_matrix(comparison.jobs, reached.runs)
    else:
        show_scatter(comparison.jobs, reached.runs, comparison.baseline, names, looks)


def _show_results(comparison: Comparison, stage: str) -> None:
    reached, names = _reached(comparison.jobs, stage), labels(comparison.jobs)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header(f"Results of stage {plain(stage)}", anchor=False, width="content")
        over_seeds = choose_rows(comparison.jobs)
        found = table(comparison.jobs, reached.runs, comparison.baseline, over_seeds)
        if found.columns:
            download_finals(found, names)
    if reached.problem:
        age = f" The results are as of {reached.as_of:%H:%M} UTC." if found.columns else ""
        show_notice("Results", "orange", f"{reached.problem}{age}")
    if not found.columns:
        st.text("No run has a result yet.")
        return
    if over_seeds and (best := verdict(found)):
        st.text(best)
    for doubt in doubts(comparison.jobs, stage):
        st.caption(plain(doubt))
    show_finals(found, names, cache.looks())


def _reached(jobs: Sequence[AlignmentJob], stage: str) -> Reached:
    whole = cache.headlines()
    runs, problem = {}, whole.problem
    for job in jobs:
        uid = job.metadata.uid or identify(job)
        status = next((known for known in stages_of(job) if known.name == stage), None)
        reached = finals(stage, whole.value.get(uid), None, status)
        if not reached.best:
            # A trainer of an earlier version, or one that has not evaluated yet: the stage's own run has the last values.
            own = cache.runs(uid)
            problem = problem or own.problem
            reached = finals(stage, whole.value.get(uid), own.value.get(stage), status)
        runs[identify(job)] = reached
    return Reached(runs, problem, whole.as_of)


show()
