"""The tab with the curves of a stage."""

from typing import Any

import streamlit as st
from alignment_api.progress.judged import ROUNDS
from alignment_api.spec.status import ENDED

from alignment_dashboard import cache
from alignment_dashboard.facts.one_run import checks
from alignment_dashboard.facts.stages import kind_of
from alignment_dashboard.facts.status import phase_of, stage_of
from alignment_dashboard.keeper import Known
from alignment_dashboard.pictures.panels import Panel, metrics_of, panels_of, with_points
from alignment_dashboard.pictures.summary import summarize
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.pieces.one_run.stage_choice import charted, choose_stage
from alignment_dashboard.pieces.panel_view import choose_display, show_panels
from alignment_dashboard.store.history import Histories, end_of


def show(identity: str) -> None:
    """Show the panels of a stage; when MLflow cannot be read, the last good curves stay."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        stage = choose_stage(identity)
        display = choose_display() if stage else None
    if stage is None or display is None:
        st.text("None of this run's stages has curves.")
        return
    known = read(identity, stage)
    has_points = any(len(history.steps) for history in known.value.values())
    if known.problem:
        show_stale(known, has_points)
    elif not has_points:
        show_notice("No curves", "gray", _why_empty(identity, stage))
    if has_points:
        panels, trace = with_points(_panels(identity, stage), [known.value]), Trace(identity, stage, "", "solid", known.value)
        show_panels(panels, [trace], display, summarize(panels, known.value), key=f"panels-{stage}")


def moment(identity: str) -> object:
    """Return what the curves and the checks are drawn from, for all stages."""
    job = cache.listing().find(identity)
    known = [read(identity, stage) for stage in charted(job)] if job else []
    return [(one.problem, {name: end_of(history) for name, history in one.value.items()}) for one in known]


def read(identity: str, stage: str) -> Known[Histories]:
    """Return the curves that the panels, the checks and the rounds of a stage need."""
    return cache.curves(identity, stage, dict.fromkeys([*metrics_of(_panels(identity, stage)), *checks.METRICS, *ROUNDS]))


def show_stale(known: Known[Any], has_points: bool) -> None:
    """Show why nothing newer can be read, and how old what is shown is."""
    if has_points:
        show_notice(f"As of {write_clock(known.as_of)}", "orange", known.problem or "")
    else:
        show_notice("No curves", "gray", known.problem or "")


def _why_empty(identity: str, stage: str) -> str:
    job = cache.listing().find(identity)
    known = stage_of(job, stage) if job else None
    if job and (phase_of(job) in ENDED or (known and known.state in ENDED)):
        return f"Stage {stage} has logged no points."
    return f"Stage {stage} has no points yet. Its curves appear here as soon as it trains."


def _panels(identity: str, stage: str) -> tuple[Panel, ...]:
    job = cache.listing().find(identity)
    return panels_of(kind_of([job], stage)) if job else ()
