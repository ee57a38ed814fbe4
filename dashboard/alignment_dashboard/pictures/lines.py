"""The series of one panel: measured and smoothed lines, evaluations, and the marks of points that lines do not show."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from alignment_dashboard.pictures.curve import Curve, Numbers, points_at, thin_x
from alignment_dashboard.pictures.marks import edge_marks, gap_marks, outlier_marks
from alignment_dashboard.pictures.panels import Line, Mark
from alignment_dashboard.pictures.pen import ALARM, FAINT, Pen
from alignment_dashboard.pictures.span import Span

POINTS = 800
"""Points of a panel: enough for each pixel of a third of a screen, shared by all its runs, so that twenty are as fast as one."""
FEWEST = 160
CROWD = 6
"""Beside more runs than this, the measured line behind each smoothed one would be noise; its outliers stay marked."""
_SILENT = {"show": False}


class Drawn(NamedTuple):
    """One line of one run: its curve, and how it looks."""

    line: Line
    curve: Curve
    pen: Pen


class Situation(NamedTuple):
    """What all series of a panel have in common."""

    place: int
    """Which panel it is, from 0."""
    span: Span
    smoothed: bool
    clip: bool
    runs: int
    dark: bool

    @property
    def buckets(self) -> int:
        """Return into how many parts a line is cut; each keeps up to four points."""
        return max(FEWEST, POINTS // max(1, self.runs)) // 4


def series_of(lines: Sequence[Drawn], mark: Mark | None, panel: Situation) -> list[dict[str, Any]]:
    """Return the series of a panel, those behind first."""
    training = [drawn for drawn in lines if not drawn.line.evaluation]
    evaluations = [drawn for drawn in lines if drawn.line.evaluation]
    places = _places(training, evaluations, panel)
    alone, behind = panel.runs == 1, panel.smoothed and panel.runs > CROWD
    return [
        *(_measured(drawn, places if alone else thin_x(drawn.curve, panel.buckets), panel) for drawn in training if not behind),
        *(_smoothed(drawn, places, panel) for drawn in training if panel.smoothed or not alone),
        *(_evaluated(drawn, panel) for drawn in evaluations),
        _marks(lines, mark, panel),
    ]


def _places(training: Sequence[Drawn], evaluations: Sequence[Drawn], panel: Situation) -> Numbers:
    """Return where all lines of a panel have a point: a tooltip lists only lines that have one exactly at its place."""
    if panel.runs == 1:
        chosen = [thin_x(drawn.curve, panel.buckets) for drawn in training]
    else:
        every = numpy.unique(numpy.concatenate([numpy.empty(0), *(drawn.curve.x for drawn in training)]))
        chosen = [every[:: max(1, len(every) // (4 * panel.buckets))], every[-1:]]
    return numpy.unique(numpy.concatenate([numpy.empty(0), *chosen, *(drawn.curve.x for drawn in evaluations)]))


def _measured(drawn: Drawn, places: Numbers, panel: Situation) -> dict[str, Any]:
    faint = {"opacity": 0.3 if panel.runs == 1 else 0.16, "width": 1} if panel.smoothed else {"width": 1.6}
    return {
        **_line(drawn, drawn.curve.values, places, panel, between=False),
        "lineStyle": {**drawn.pen.line_style, **faint},
        # A line needs two points, so a single point is drawn as a mark.
        "showSymbol": len(drawn.curve.x) == 1,
        **({"tooltip": _SILENT} if panel.runs > 1 else {}),
        **({"emphasis": {"disabled": True}} if panel.smoothed else {}),
    }


def _smoothed(drawn: Drawn, places: Numbers, panel: Situation) -> dict[str, Any]:
    """Return the smoothed line; of many runs that are not smoothed, an invisible one that speaks in the tooltip."""
    values = drawn.curve.smoothed if panel.smoothed else drawn.curve.values
    return {
        **_line(drawn, values, places, panel, between=True),
        **({"name": f"{drawn.pen.name}, smoothed"} if panel.runs == 1 else {}),
        "lineStyle": {**drawn.pen.line_style, **({"width": 1.8} if panel.smoothed else {"opacity": 0})},
        "showSymbol": False,
    }


def _evaluated(drawn: Drawn, panel: Situation) -> dict[str, Any]:
    return {
        **_line(drawn, drawn.curve.values, drawn.curve.x, panel, between=False),
        "lineStyle": {**drawn.pen.line_style, "width": 1, "opacity": 0.6},
        "showSymbol": True,
        "showAllSymbol": True,
        "symbolSize": 5,
    }


def _line(drawn: Drawn, values: Numbers, places: Numbers, panel: Situation, between: bool) -> dict[str, Any]:
    return {
        "type": "line",
        "name": drawn.pen.name,
        "xAxisIndex": panel.place,
        "yAxisIndex": panel.place,
        "data": points_at(drawn.curve.x, values, places, between),
        "symbol": "circle",
        "symbolSize": 6,
        "itemStyle": {"color": drawn.pen.colour},
        "emphasis": {"focus": "series", "blurScope": "coordinateSystem", "lineStyle": {"width": 2.6}},
        "triggerLineEvent": True,
    }


def _marks(lines: Sequence[Drawn], mark: Mark | None, panel: Situation) -> dict[str, Any]:
    """Return one series for all marks of a panel; the tooltip leaves it out."""
    data = [one for drawn in lines for one in _marks_of(drawn, panel)]
    return {
        "type": "scatter",
        "xAxisIndex": panel.place,
        "yAxisIndex": panel.place,
        "data": data,
        "symbolSize": 8,
        "label": {"show": True, "formatter": "{@[2]}", "fontSize": 11},
        "labelLayout": {"hideOverlap": True},
        "clip": False,
        "silent": True,
        "tooltip": _SILENT,
        **({"markLine": _reference(mark, panel)} if mark else {}),
    }


def _marks_of(drawn: Drawn, panel: Situation) -> list[dict[str, Any]]:
    rings = outlier_marks(drawn.curve, panel.span, drawn.pen.colour) if panel.smoothed and not drawn.line.evaluation else []
    edges = [] if panel.clip else edge_marks(drawn.curve, panel.span, drawn.pen.colour)
    return [*rings, *edges, *gap_marks(drawn.curve, panel.span, ALARM[panel.dark])]


def _reference(mark: Mark, panel: Situation) -> dict[str, Any]:
    return {
        "data": [{"yAxis": mark.value, "name": mark.name}],
        "symbol": "none",
        "silent": True,
        # ECharts rounds the place of such a line to two decimals, which puts ln 2 below the loss that it marks.
        "precision": 6,
        "lineStyle": {"type": "dotted", "color": FAINT, "width": 1},
        "label": {"position": "insideEndTop", "formatter": mark.name or " ", "color": FAINT, "fontSize": 11},
    }
