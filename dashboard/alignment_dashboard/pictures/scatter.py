"""Two numbers of each run against each other, as an ECharts option."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from alignment_dashboard.facts.colours import MUTED
from alignment_dashboard.facts.comparison.choice import FLAG
from alignment_dashboard.facts.comparison.quantities import Quantity
from alignment_dashboard.units import write_number, write_value

HEIGHT = 460
MOST_TICKS = 8
"""So many different values of a parameter can each have their own tick."""


class Point(NamedTuple):
    """A run in the picture."""

    identity: str
    name: str
    colour: str
    is_baseline: bool


def draw(across: Quantity, up: Quantity, points: Sequence[Point], dark: bool) -> dict[str, Any]:
    """Return the ECharts option; a run that lacks one of the numbers, or has no finite one, is left out."""
    shown = drawn(across, up, points)
    return {
        "animation": False,
        "grid": {"left": 16, "right": 32, "top": 34, "bottom": 52, "containLabel": True},
        "tooltip": {"trigger": "item", "formatter": "{b}"},
        "xAxis": {**_axis(across), "nameLocation": "middle", "nameGap": 36},
        "yAxis": {**_axis(up), "nameLocation": "end", "nameTextStyle": {"align": "left"}},
        "series": [
            {
                "type": "scatter",
                "symbolSize": 14,
                "selectedMode": "multiple",
                "select": {"itemStyle": {"borderColor": "#FFFFFF" if dark else "#000000", "borderWidth": 2}},
                "emphasis": {"scale": 1.4},
                "labelLayout": {"hideOverlap": True},
                "label": {"show": True, "position": "right", "color": "#E8EAED" if dark else "#31333F"},
                "data": [_point(across, up, point) for point in shown],
            },
            *_ticks(across, "xAxis", dark),
            *_ticks(up, "yAxis", dark),
        ],
    }


def drawn(across: Quantity, up: Quantity, points: Sequence[Point]) -> list[Point]:
    """Return the runs that have both numbers, in the order of the series."""
    return [
        point
        for point in points
        if all(math.isfinite(quantity.values.get(point.identity, math.nan)) for quantity in (across, up))
    ]


def describe(across: Quantity, up: Quantity, points: Sequence[Point]) -> str:
    """Write all points for readers who cannot see them."""
    parts = [_describe(across, up, point) for point in drawn(across, up, points)]
    return f"{up.name} against {across.name}: {'; '.join(parts) or 'no run has both'}."


def _point(across: Quantity, up: Quantity, point: Point) -> dict[str, Any]:
    label = f"{FLAG} {point.name}" if point.is_baseline else point.name
    return {
        "name": _describe(across, up, point),
        "value": [_place(across, point), _place(up, point)],
        "symbol": "diamond" if point.is_baseline else "circle",
        "itemStyle": {"color": point.colour},
        "label": {"formatter": label},
    }


def _describe(across: Quantity, up: Quantity, point: Point) -> str:
    return f"{point.name}: {_write(across, point)}, {_write(up, point)}"


def _write(quantity: Quantity, point: Point) -> str:
    return f"{quantity.name} {write_number(quantity.values[point.identity])}"


def _place(quantity: Quantity, point: Point) -> float:
    """Return where a value is drawn: ECharts writes 1e-6 on a log axis as 0.000001, so the axis holds the exponent."""
    value = quantity.values[point.identity]
    return math.log10(value) if quantity.log else value


def _axis(quantity: Quantity) -> dict[str, Any]:
    axis = {"type": "value", "scale": True, "name": quantity.name, "splitLine": {"lineStyle": {"opacity": 0.4}}}
    if not quantity.log:
        return axis
    exponents = [math.log10(value) for value in quantity.values.values()]
    edges = {"min": min(exponents) - 0.15, "max": max(exponents) + 0.15}
    own = len(set(exponents)) <= MOST_TICKS
    labels = {"show": not own, "formatter": "1e{value}", "showMinLabel": False, "showMaxLabel": False}
    return {**axis, **edges, "interval": 1, "axisLabel": labels, "splitLine": {"show": not own}, "axisTick": {"show": not own}}


def _ticks(quantity: Quantity, axis: str, dark: bool) -> list[dict[str, Any]]:
    """Return a line at each value of a log axis, which would otherwise have a tick at powers of ten only."""
    values = sorted(set(quantity.values.values()))
    if not quantity.log or len(values) > MOST_TICKS:
        return []
    lines = [{axis: math.log10(value), "label": {"formatter": write_value(value)}} for value in values]
    colour = MUTED[dark]
    return [
        {
            "type": "scatter",
            "data": [],
            "silent": True,
            "markLine": {
                "symbol": "none",
                "silent": True,
                "label": {"position": "start", "color": colour, "distance": 6},
                "lineStyle": {"color": f"{colour}55", "type": "solid", "width": 1},
                "data": lines,
            },
        }
    ]
