"""What the models of several runs reached, in one table: models by tasks, those of the baseline first."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.choice import Comparison
from alignment_dashboard.facts.stages import reporting_stages
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.evaluated.export_table import show_exports
from alignment_dashboard.pieces.evaluated.judge_panels import show_panels
from alignment_dashboard.pieces.evaluated.score_table import show_scores
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.text import listed


def show_evaluations(comparison: Comparison, names: Mapping[str, str], hidden: Collection[str]) -> None:
    """Show what was measured of the models of all runs that are not hidden."""
    first = comparison.jobs[comparison.baseline]
    jobs = [job for job in (first, *(job for job in comparison.jobs if job != first)) if identify(job) not in hidden]
    if not jobs:
        st.text("All runs are hidden.")
    _show_missing(jobs, names)
    known = {names[identify(job)]: cache.reports(identify(job)) for job in jobs if reporting_stages(job)}
    for problem in dict.fromkeys(one.problem for one in known.values() if one.problem):
        oldest = min(one.as_of for one in known.values() if one.problem == problem)
        show_notice("Evaluation", "orange", f"{problem} What is shown is as of {write_clock(oldest)}.")
    for name, one in known.items():
        for problem in () if one.problem else one.value.problems:
            st.text(f"{name}: {problem}")
        for sign in () if one.problem else one.value.signs():
            show_notice("Not final", "orange", f"{name}: {sign}")
    # Two runs may have one name; that of this page is unique.
    measured = [report._replace(job=name) for name, one in known.items() for report in one.value.evaluations]
    if measured:
        show_scores(measured, jobs={names[identify(job)]: identify(job) for job in jobs})
    elif known:
        st.text("No run has a report yet.")
    show_panels([(f"{one.job}/{one.stage}", panel) for one in measured for panel in one.report.panels])
    show_exports([report._replace(job=name) for name, one in known.items() for report in one.value.exports])


def moment(jobs: Sequence[AlignmentJob]) -> object:
    """Return what the evaluations are drawn from."""
    cache.expect_reports([identify(job) for job in jobs if reporting_stages(job)])
    return [cache.reports(identify(job))[:2] for job in jobs if reporting_stages(job)]


def _show_missing(jobs: Sequence[AlignmentJob], names: Mapping[str, str]) -> None:
    without = [names[identify(job)] for job in jobs if not reporting_stages(job)]
    if without:
        st.text(f"{listed(without)} {'has' if len(without) == 1 else 'have'} no stage that evaluates or exports.")
