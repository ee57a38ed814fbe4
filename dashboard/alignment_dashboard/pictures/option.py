"""Turns panels and runs into one option of ECharts, whose panels share cursor and zoom; pure, so that tests read it as data."""

import math
from collections.abc import Sequence
from typing import Any

import numpy

from alignment_dashboard.pictures import frame
from alignment_dashboard.pictures.curve import curve_of
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.lines import Drawn, Situation, series_of
from alignment_dashboard.pictures.marks import outside
from alignment_dashboard.pictures.panels import Panel
from alignment_dashboard.pictures.pen import pen_of
from alignment_dashboard.pictures.scale import STEPS, Scale, time_scale
from alignment_dashboard.pictures.span import Span, logarithmic, span_of
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.store.history import NO_POINTS

SMALL = 1e-3
"""Values below this are drawn in powers of ten, as learning rates need."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw(panels: Sequence[Panel], traces: Sequence[Trace], display: Display, dark: bool) -> dict[str, Any]:
    """Return one ECharts option with a grid for each panel, for one run or for many."""
    scale = _scale(traces, display)
    drawn = [_lines(panel, traces, display, scale, dark) for panel in panels]
    powers = [_power(lines) for lines in drawn]
    drawn = [_in_powers(lines, power) if power else lines for lines, power in zip(drawn, powers, strict=True)]
    axes = [_axis(panel, lines, display) for panel, lines in zip(panels, drawn, strict=True)]
    situations = [
        Situation(index, span, display.smoothing > 0, display.clip, len(traces), dark) for index, (span, _) in enumerate(axes)
    ]
    # The title of a panel with one line says what the line is.
    roles = dict.fromkeys(
        one.pen.name
        for panel, lines in zip(panels, drawn, strict=True)
        for one in lines
        if len(panel.lines) > 1 and len(one.curve.x)
    )
    notes = [_note(lines, span, display.clip) for lines, (span, _) in zip(drawn, axes, strict=True)]
    return {
        "animation": False,
        **frame.places([_title(panel, power) for panel, power in zip(panels, powers, strict=True)], notes),
        "legend": frame.legend(list(roles) if len(traces) == 1 else []),
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g", "confine": True},
        "axisPointer": frame.cursor(len(panels)),
        "xAxis": frame.x_axes(len(panels), _extent(drawn, display), scale),
        "yAxis": [frame.y_axis(index, span, is_log, bool(panels[index].bounds)) for index, (span, is_log) in enumerate(axes)],
        **frame.zoom_tool(len(panels)),
        "series": [
            one
            for panel, lines, situation in zip(panels, drawn, situations, strict=True)
            for one in series_of(lines, panel.mark, situation)
        ],
    }


def _lines(panel: Panel, traces: Sequence[Trace], display: Display, scale: Scale, dark: bool) -> list[Drawn]:
    alone = len(traces) == 1
    return [
        Drawn(
            line,
            curve_of(
                trace.histories.get(line.metric, NO_POINTS),
                display._replace(smoothing=0) if line.exact else display,
                scale,
                _start(trace),
            ),
            pen_of(line, trace, alone, dark),
        )
        for line in panel.lines
        for trace in traces
    ]


def _power(lines: Sequence[Drawn]) -> int:
    """Return the power of ten of a panel whose values are so small that an axis would need many zeros; 0 for others."""
    largest = max((float(numpy.abs(one.curve.finite).max()) for one in lines if len(one.curve.finite)), default=0.0)
    return math.floor(math.log10(largest)) if 0 < largest < SMALL else 0


def _in_powers(lines: Sequence[Drawn], power: int) -> list[Drawn]:
    return [
        one._replace(curve=one.curve._replace(values=one.curve.values / 10.0**power, smoothed=one.curve.smoothed / 10.0**power))
        for one in lines
    ]


def _axis(panel: Panel, lines: Sequence[Drawn], display: Display) -> tuple[Span, bool]:
    """Return the range of a panel's y axis, and whether it is logarithmic."""
    curves = [one.curve for one in lines]
    if display.log and panel.positive and (span := logarithmic(curves, display.clip)):
        return span, True
    return (Span(*panel.bounds) if panel.bounds else span_of(curves, display.clip, panel.mark)), False


def _title(panel: Panel, power: int) -> str:
    return f"{panel.title} × 10{str(power).translate(_RAISED)}" if power else panel.title


def _note(lines: Sequence[Drawn], span: Span, clip: bool) -> str:
    """Return how many points are not drawn, or are drawn at the edge."""
    above = sum(int((one.curve.values[outside(one.curve, span)] > span.high).sum()) for one in lines)
    below = sum(int(outside(one.curve, span).sum()) for one in lines) - above
    counted = " and ".join(f"{count:,} {where}" for count, where in ((above, "above"), (below, "below")) if count)
    if not counted:
        return ""
    points = "point" if above + below == 1 else "points"
    return f"{points} hidden: {counted}" if clip else f"{points} beyond the edge: {counted}"


def _start(trace: Trace) -> int:
    return min((int(history.times[0]) for history in trace.histories.values() if len(history.times)), default=0)


def _scale(traces: Sequence[Trace], display: Display) -> Scale:
    if display.axis == "step":
        return STEPS
    ends = [
        int(history.times.max()) - _start(trace) for trace in traces for history in trace.histories.values() if len(history.times)
    ]
    return time_scale(max(ends, default=0) / 1_000)


def _extent(drawn: Sequence[Sequence[Drawn]], display: Display) -> Span:
    """Return the ends of the x axes, the same for all panels."""
    if display.window:
        return Span(*display.window)
    ends = numpy.concatenate([numpy.empty(0), *(one.curve.x for lines in drawn for one in lines)])
    return Span(float(ends.min()), max(float(ends.max()), float(ends.min()) + 1)) if len(ends) else Span(0, 1)
