"""The page that compares runs: what differs, how they trained, what they reached, and which is the best."""

from collections.abc import Sequence

import streamlit as st
from alignment_api.spec.status import ENDED, Phase

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.choice import Comparison, choose, default_stage, without_stage
from alignment_dashboard.facts.comparison.finals import table
from alignment_dashboard.facts.comparison.labels import labels
from alignment_dashboard.facts.comparison.verdict import doubts, verdict
from alignment_dashboard.facts.configuration import parameters
from alignment_dashboard.facts.links import jobs_asked, jobs_in
from alignment_dashboard.facts.stages import measured_in
from alignment_dashboard.facts.status import phase_of
from alignment_dashboard.pieces import overlaid_curves
from alignment_dashboard.pieces import reached as results
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.configuration_table import show_configuration
from alignment_dashboard.pieces.evaluated import compared
from alignment_dashboard.pieces.final_table import choose_rows, download_finals, show_finals
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.run_picker import show_picker
from alignment_dashboard.pieces.run_rail import BASELINE, HIDDEN, show_rail
from alignment_dashboard.pieces.sweep_views import show_matrix, show_scatter
from alignment_dashboard.text import plain

LIVE_SECONDS = 3
# A run that does not train may be started again, and a store that was away comes back.
STILL_SECONDS = 15
STILL: tuple[Phase, ...] = (*ENDED, "Suspended", "Queued")
CURVES, MATRIX, EVALUATION = "curves", "matrix", "evaluation"
VIEWS = (CURVES, MATRIX, "scatter", EVALUATION)
HIDES = {CURVES: "the curves", EVALUATION: "the scores and exports"}
"""What a view hides of a run; the others show all runs."""
HOW_TO_CHOOSE = (
    "Choose at least two runs: here, or tick them in the list of runs and follow its link Compare, or write their ids into "
    "the address, as in /compare?jobs=ID,ID."
)


def show() -> None:
    """Show the comparison that the address asks for."""
    comparison = _chosen()
    show_failures(cache.listing().failures)
    for sentence in comparison.sentences:
        show_notice("Left out", "orange", sentence)
    if len(comparison.jobs) < 2:
        st.title("Compare runs", anchor=False)
        show_picker(comparison.jobs)
        st.text(HOW_TO_CHOOSE)
        st.page_link("app_pages/runs.py", label="Runs", icon=":material/list:")
        _watch_for_changes(comparison)
        return
    names, looks = labels(comparison.jobs), cache.looks()
    stage, view = _show_head(comparison)
    _watch_for_changes(comparison, stage, view)
    if stage is None and view != EVALUATION:
        st.text("None of these runs has a stage that trains.")
        return
    if stage and view != EVALUATION:
        _show_verdict(comparison, stage)
    rail, content = st.columns([1, 4], gap="medium")
    hidden = jobs_in(st.query_params.get(HIDDEN))
    with rail:
        show_rail(comparison, names, looks, hidden, HIDES.get(view))
    with content:
        show_configuration(comparison, names, looks)
        if view == EVALUATION:
            st.header("Evaluation", anchor=False)
            st.fragment(compared.show_evaluations)(comparison, names, hidden)
        elif stage:
            st.fragment(_show_view)(comparison, stage, view)
            st.fragment(_show_results)(comparison, stage)


def _chosen() -> Comparison:
    return choose(cache.listing(), jobs_asked(st.query_params), st.query_params.get(BASELINE))


def _watch_for_changes(comparison: Comparison, stage: str | None = None, view: str = CURVES) -> None:
    pause = STILL_SECONDS if all(phase_of(job) in STILL for job in comparison.jobs) else LIVE_SECONDS
    st.fragment(_watch, run_every=pause)(stage, view, _moment(comparison, stage, view))


def _watch(stage: str | None, view: str, drawn: object) -> None:
    """Draw the page again when something has changed; this part reads, and has no elements that could fade meanwhile."""
    if _moment(_chosen(), stage, view) != drawn:
        st.rerun()


def _moment(comparison: Comparison, stage: str | None, view: str) -> object:
    """Return all that the page is drawn from."""
    looks = cache.looks()
    runs = [(looks.get(identify(job)), phase_of(job), parameters(job)) for job in comparison.jobs]
    around = (comparison.baseline, comparison.sentences, runs, cache.listing().failures)
    if view == EVALUATION:
        return around, compared.moment(comparison.jobs)
    if stage is None:
        return around
    hidden = jobs_in(st.query_params.get(HIDDEN))
    curves = overlaid_curves.moment(comparison, stage, hidden) if view == CURVES else None
    return around, curves, results.moment(comparison.jobs, stage)


def _show_head(comparison: Comparison) -> tuple[str | None, str]:
    """Show what is compared and in which view; return the stage and the view."""
    jobs = comparison.jobs
    names, usual = measured_in(jobs), default_stage(jobs)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(f"Compare {len(jobs)} runs", anchor=False, width="content")
        stages = st.container(width="content")
        view = _choose("View", VIEWS, CURVES, "view")
        with stages:
            # Evaluations have stages of their own; the choice stays for the other views.
            stage = _choose("Stage", names, usual, "stage", disabled=view == EVALUATION) if usual else None
        shown = {"jobs": ",".join(identify(job) for job in jobs)}
        st.page_link("app_pages/samples.py", label="Samples side by side", query_params=shown, icon=":material/notes:")
    return stage, view


def _choose(label: str, options: Sequence[str], usual: str, key: str, disabled: bool = False) -> str:
    chosen = st.segmented_control(
        label,
        options,
        default=usual,
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
        disabled=disabled,
    )
    return str(chosen or usual)


def _show_verdict(comparison: Comparison, stage: str) -> None:
    reached = results.read(comparison.jobs, stage)
    best = verdict(table(comparison.jobs, reached.runs, comparison.baseline), stage)
    if best:
        st.text(best)
    missing = without_stage(comparison.jobs, stage)
    if missing:
        st.text(missing)


def _show_view(comparison: Comparison, stage: str, view: str) -> None:
    names, looks = labels(comparison.jobs), cache.looks()
    if view == CURVES:
        overlaid_curves.show_curves(comparison, stage, names, looks, jobs_in(st.query_params.get(HIDDEN)))
        return
    reached = results.read(comparison.jobs, stage)
    if view == MATRIX:
        show_matrix(comparison.jobs, reached.runs)
    else:
        show_scatter(comparison.jobs, reached.runs, comparison.baseline, names, looks)


def _show_results(comparison: Comparison, stage: str) -> None:
    reached, names = results.read(comparison.jobs, stage), labels(comparison.jobs)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.header(f"Results of stage {plain(stage)}", anchor=False, width="content")
        over_seeds = choose_rows(comparison.jobs)
        found = table(comparison.jobs, reached.runs, comparison.baseline, over_seeds)
        if found.columns:
            download_finals(found, names)
    if reached.problem:
        age = f" The results are as of {write_clock(reached.as_of)}." if found.columns else ""
        show_notice("Results", "orange", f"{reached.problem}{age}")
    if not found.columns:
        st.text("No run has a result yet.")
        return
    if over_seeds and (best := verdict(found, stage)):
        st.text(best)
    for doubt in doubts(comparison.jobs, stage):
        st.caption(plain(doubt))
    show_finals(found, names, cache.looks())


show()
