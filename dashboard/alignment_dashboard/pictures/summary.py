"""Says in words what panels show, for readers who cannot see them."""

from collections.abc import Sequence

import numpy

from alignment_dashboard.pictures.panels import Line, Panel
from alignment_dashboard.store.history import Histories, History


def summarize(panels: Sequence[Panel], histories: Histories) -> str:
    """Return the last value of each line of one run, and its first NaN or infinity."""
    return ". ".join(f"{panel.title}: {_panel(panel, histories)}" for panel in panels)


def _panel(panel: Panel, histories: Histories) -> str:
    return "; ".join(_line(line, histories[line.metric]) for line in panel.lines if line.metric in histories) or "no points yet"


def _line(line: Line, history: History) -> str:
    if not len(history.steps):
        return f"{line.role} has no points yet"
    text = f"{line.label} {history.values[-1]:.4g} at step {history.steps[-1]:,}"
    broken = history.steps[~numpy.isfinite(history.values)]
    return f"{text}, first NaN or infinity at step {broken[0]:,}, {len(broken):,} in all" if len(broken) else text
