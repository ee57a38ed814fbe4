"""The tab with what the models of a run reached: scores, judges, exports before and after."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from alignment_api.results.collected import Reports
from alignment_api.results.table import model_lines
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.facts.evaluated.ablation import made
from alignment_dashboard.facts.stages import reporting_stages
from alignment_dashboard.keeper import Known
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.evaluated.export_table import show_exports
from alignment_dashboard.pieces.evaluated.judge_panels import show_panels
from alignment_dashboard.pieces.evaluated.score_table import show_scores
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.units import write_value

MADE_BY = "Made by"


def moment(identity: str) -> object:
    """Return what the scores are drawn from."""
    job = cache.listing().find(identity)
    return cache.reports(identity)[:2] if job and reporting_stages(job) else None


def show(identity: str) -> None:
    """Show what the stages of a run have reported."""
    job = cache.listing().find(identity)
    if job is None:
        return
    if not reporting_stages(job):
        st.text("No stage of this run evaluates or exports a model. A stage of the kind evaluate measures the models of its job.")
        return
    known = cache.reports(identity)
    show_problems(known)
    found = known.value
    if found.evaluations:
        _show_rows_link(identity, found)
        show_scores(found.evaluations, _made(job, found))
    show_panels([(one.stage, panel) for one in found.evaluations for panel in one.report.panels])
    show_exports(found.exports)


def show_problems(known: Known[Reports]) -> None:
    """Show why reports are missing, may be old or are not final."""
    if known.problem:
        is_old = known.value.evaluations or known.value.exports
        show_notice("Evaluation", "orange", known.problem + (f" These are as of {write_clock(known.as_of)}." if is_old else ""))
        return
    for problem in known.value.problems:
        st.text(problem)
    for sign in known.value.signs():
        show_notice("Not final", "orange", sign)


def _show_rows_link(identity: str, found: Reports) -> None:
    if any(one.report.tasks for one in found.evaluations):
        label = "Rows: where do two models differ?"
        st.page_link("app_pages/rows.py", label=label, query_params={"job": identity}, icon=":material/difference:")


def _made(job: AlignmentJob, found: Reports) -> Sequence[Mapping[str, Any]]:
    """Return the columns that say how each model was made."""
    known = made(job, [line.model.name for line in model_lines(found.evaluations)])
    names = list(dict.fromkeys(name for one in known for name in one.settings))
    return [
        {MADE_BY: one.chain} | {name: write_value(one.settings[name]) if name in one.settings else None for name in names}
        for one in known
    ]
