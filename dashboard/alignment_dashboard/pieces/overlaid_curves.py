"""The curves of many runs in the same panels."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import pandas
import streamlit as st

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.comparison.choice import Comparison
from alignment_dashboard.facts.stages import kind_of
from alignment_dashboard.keeper import Known
from alignment_dashboard.pictures.panels import SECOND, Panel, metrics_of, panels_of, with_points
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.notice import show_notice
from alignment_dashboard.pieces.panel_view import choose_display, show_panels
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.store.history import Histories, end_of


def show_curves(
    comparison: Comparison, stage: str, names: Mapping[str, str], looks: Mapping[str, Look], hidden: Collection[str]
) -> None:
    """Show the panels of a stage with a line for each run that is not hidden, and say what could not be read."""
    panels, dark = panels_of(kind_of(comparison.jobs, stage)), is_dark()
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            display = choose_display()
        place = st.container(width="content")
    st.caption(_legend(panels))
    traces: list[Trace] = []
    problems: dict[str, datetime] = {}
    for identity, known in _read(comparison, stage, hidden).items():
        look = looks[identity]
        if known.problem:
            problems.setdefault(known.problem, known.as_of)
        traces.append(Trace(identity, names[identity], look.colour(dark), look.dash, known.value))
    for problem, as_of in problems.items():
        age = f" The curves are as of {write_clock(as_of)}." if any(trace.histories for trace in traces) else ""
        show_notice("Curves", "orange", f"{problem}{age}")
    with place:
        st.download_button(
            "CSV", lambda: csv_of(traces), "curves.csv", "text/csv", key="curves-csv", type="tertiary", icon=":material/download:"
        )
    if traces and not problems and not any(len(history.steps) for trace in traces for history in trace.histories.values()):
        st.text(f"No run has a curve of stage {stage} yet.")
        return
    panels = with_points(panels, [trace.histories for trace in traces])
    drawn = ", ".join(trace.name for trace in traces) or "no run"
    show_panels(panels, traces, display, f"Stage {stage} of {drawn}: one line for each run in each panel.")


def _legend(panels: Sequence[Panel]) -> str:
    """Return what the style of a line means; its colour says which run it is."""
    lines = [line for panel in panels for line in panel.lines]
    holdout = "A thin line with dots is measured on the holdout. " if any(line.evaluation for line in lines) else ""
    dotted = list(dict.fromkeys(line.role for line in lines if line.role in SECOND))
    return f"{holdout}Finely dotted: {', '.join(dotted)}." if dotted else holdout


def moment(comparison: Comparison, stage: str, hidden: Collection[str]) -> object:
    """Return what the curves are drawn from."""
    return [
        (identity, known.problem, {name: end_of(history) for name, history in known.value.items()})
        for identity, known in _read(comparison, stage, hidden).items()
    ]


def _read(comparison: Comparison, stage: str, hidden: Collection[str]) -> dict[str, Known[Histories]]:
    metrics = metrics_of(panels_of(kind_of(comparison.jobs, stage)))
    return {identify(job): cache.curves(identify(job), stage, metrics) for job in comparison.jobs if identify(job) not in hidden}


def csv_of(traces: Sequence[Trace]) -> str:
    """Return every point of the curves, also those that the picture has no pixels for."""
    columns = ["run", "metric", "step", "value", "time"]
    frames = [
        pandas.DataFrame(
            {"run": trace.name, "metric": metric, "step": history.steps, "value": history.values, "time": history.times}
        ).assign(time=lambda frame: pandas.to_datetime(frame["time"], unit="ms", utc=True))
        for trace in traces
        for metric, history in trace.histories.items()
    ]
    return str((pandas.concat(frames) if frames else pandas.DataFrame(columns=columns)).to_csv(index=False))
