"""Turns a chart and its points into an option of ECharts and a sentence; pure, so that tests read both as data."""

import math
from typing import Any

from alignment_dashboard.data.history import Histories, History, not_finite, thin
from alignment_dashboard.pictures.panels import Chart, Line

BUCKETS = 400
"""A long history is cut into this many buckets: enough for each pixel of a chart that is half a screen wide."""


def draw(chart: Chart, histories: Histories, growing: bool) -> dict[str, Any]:
    """Return the ECharts option of one chart; a metric without points is in the legend and has no curve."""
    low, high = chart.bounds or (None, None)
    return {
        "animation": False,
        "legend": {"top": 0, "left": 0, "itemWidth": 18},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": "dataMax",
            "minInterval": 1,
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
            "axisPointer": {"label": {"precision": 0}},
        },
        # Each redraw resets the zoom, so a chart can be zoomed only after its stage has ended.
        "dataZoom": [] if growing else [{"type": "inside", "filterMode": "none"}],
        "yAxis": {"type": "value", "scale": True, "min": low, "max": high},
        "series": [_series(line, histories.get(line.metric, ())) for line in chart.lines],
    }


def describe(chart: Chart, histories: Histories) -> str:
    """Return the last value and the number of points of each line in words, also for readers who cannot see the chart."""
    parts = [_describe(line, histories[line.metric]) for line in chart.lines if histories.get(line.metric)]
    return "; ".join(parts) or "no points yet"


def _series(line: Line, history: History) -> dict[str, Any]:
    points = thin(history, BUCKETS)
    return {
        "name": line.name,
        "type": "line",
        "data": [[point.step, point.value if math.isfinite(point.value) else None] for point in points],
        # A line needs two points, so a single point is drawn as a mark.
        "showSymbol": line.evaluation or len(points) == 1,
        "symbol": "circle",
        "symbolSize": 7,
        "lineStyle": {"width": 1.5, "type": "dashed" if line.evaluation else "solid"},
        "emphasis": {"disabled": True},
    }


def _describe(line: Line, history: History) -> str:
    shown, failed = len(thin(history, BUCKETS)), not_finite(history)
    count = f"{shown:,} of {len(history):,} points, every peak kept" if shown < len(history) else f"{shown:,} points"
    last = history[-1]
    text = f"{line.name} {last.value:.4g} at step {last.step:,} ({count})"
    return f"{text}, first NaN or infinity at step {failed[0].step:,}, {len(failed):,} in all" if failed else text
