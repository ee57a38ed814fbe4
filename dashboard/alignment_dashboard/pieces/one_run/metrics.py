"""The tab with every metric of a stage, found by name."""

from collections.abc import Mapping

import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.pictures.all_metrics import panels_for
from alignment_dashboard.pictures.panels import metrics_of
from alignment_dashboard.pictures.summary import summarize
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.pieces.one_run.curves import show_stale
from alignment_dashboard.pieces.one_run.stage_choice import choose_stage
from alignment_dashboard.pieces.panel_view import choose_display, show_panels

PER_PAGE = 9


def moment(identity: str) -> object:
    """Return what the metrics are drawn from."""
    known = cache.runs(identity)
    return known.problem, {stage: _written(run.latest) for stage, run in known.value.items()}


def _written(latest: Mapping[str, float]) -> dict[str, str]:
    # A NaN does not equal itself, so the page would be drawn again for ever.
    return {name: repr(value) for name, value in latest.items()}


def show(identity: str) -> None:
    """Show the metrics whose name the reader looks for, a few at a time."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with row:
        stage = choose_stage(identity)
    runs = cache.runs(identity)
    run = runs.value.get(stage) if stage else None
    if runs.problem:
        show_stale(runs, run is not None)
    if run is None or not run.latest:
        if not runs.problem:
            st.text("There are no metrics yet.")
        return
    with row:
        search = st.text_input(
            "Search metrics", key="metric", placeholder="By name, such as eval loss", live=True, bind="query-params", width=260
        )
        display = choose_display()
    found = panels_for(run.latest, search or "")
    if not found:
        st.text(f"None of the {len(run.latest):,} metrics has this name.")
        return
    pages = -(-len(found) // PER_PAGE)
    page = st.pagination(pages, key=f"metrics-{search}") if pages > 1 else 1
    panels = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    known = cache.curves(identity, run.stage or "", metrics_of(panels))
    show_panels(
        panels, [Trace(identity, run.stage or "", "", "solid", known.value)], display, summarize(panels, known.value), "metrics"
    )
