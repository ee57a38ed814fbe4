"""A matrix of two parameters as an ECharts option: each cell says its mean, its standard error and its number of runs."""

import math
from collections.abc import Mapping
from typing import Any

from alignment_dashboard.facts.colours import MUTED
from alignment_dashboard.facts.comparison.matrix import NOT_RUN, Matrix
from alignment_dashboard.facts.comparison.spread import Spread
from alignment_dashboard.facts.comparison.verdict import STAR

# From pale to strong, on a light and on a dark background; the strong end is always the better one.
_LIGHT, _DARK = ("#E4EFF8", "#0072B2"), ("#1D3347", "#56B4E9")
_LINE_PIXELS, _AROUND_PIXELS = 76, 110
_LIGHT_TURNS, _DARK_TURNS = 0.85, 0.62
"""From this share of the range on, text on a cell takes the other colour, so that it always has enough contrast."""


Cells = Mapping[tuple[int, int], Spread]


def height_of(matrix: Matrix) -> int:
    """Return how many pixels a matrix needs."""
    return _LINE_PIXELS * len(matrix.lines) + _AROUND_PIXELS


def draw(matrix: Matrix, lower_is_better: bool, dark: bool) -> dict[str, Any]:
    """Return the ECharts option of a matrix."""
    finite = {place: spread for place, spread in matrix.cells.items() if math.isfinite(spread.mean)}
    means = [spread.mean for spread in finite.values()]
    low, high = (min(means), max(means)) if means else (0.0, 1.0)
    best = (low if lower_is_better else high) if len(means) > 1 else None
    pale, strong = _DARK if dark else _LIGHT
    return {
        "animation": False,
        "grid": {"left": 8, "right": 24, "top": 28, "bottom": 34, "containLabel": True},
        "tooltip": {"show": False},
        "xAxis": _axis(matrix.columns, matrix.across, 32),
        "yAxis": {**_axis(matrix.lines, matrix.down or "", 12), "nameLocation": "start", "inverse": True},
        "visualMap": {
            "show": False,
            "seriesIndex": 0,
            "min": low,
            "max": high if high > low else low + 1,
            "inRange": {"color": [strong, pale] if lower_is_better else [pale, strong]},
        },
        "series": [_measured(finite, best, (low, high), lower_is_better, dark), _unmeasured(matrix, finite, dark)],
    }


def _measured(finite: Cells, best: float | None, ends: tuple[float, float], lower_is_better: bool, dark: bool) -> dict[str, Any]:
    shares = {place: _share(spread.mean, *ends, lower_is_better) for place, spread in finite.items()}
    return {
        "type": "heatmap",
        "label": {"show": True, "lineHeight": 19, "fontSize": 13},
        "itemStyle": {"borderWidth": 3, "borderColor": "#0E1117" if dark else "#FFFFFF"},
        "emphasis": {"disabled": True},
        "data": [_cell(place, spread, best, shares[place], dark) for place, spread in finite.items()],
    }


def _unmeasured(matrix: Matrix, finite: Cells, dark: bool) -> dict[str, Any]:
    """Return the texts of the cells that have no colour: those without a run, and NaN."""
    texts = {place: _write(matrix.cells[place]) if place in matrix.cells else NOT_RUN for place in _places(matrix)}
    return {
        "type": "scatter",
        "symbolSize": 0,
        "silent": True,
        "label": {"show": True, "fontSize": 13, "color": MUTED[dark]},
        "data": [{"value": list(place), "label": {"formatter": text}} for place, text in texts.items() if place not in finite],
    }


def _axis(labels: tuple[str, ...], name: str, gap: int) -> dict[str, Any]:
    return {
        "type": "category",
        "data": list(labels),
        "name": name,
        "nameLocation": "middle",
        "nameGap": gap,
        "axisTick": {"show": False},
        "splitLine": {"show": False},
    }


def _cell(place: tuple[int, int], spread: Spread, best: float | None, share: float, dark: bool) -> dict[str, Any]:
    wins = spread.mean == best
    is_strong = share > (_DARK_TURNS if dark else _LIGHT_TURNS)
    return {
        "value": [*place, spread.mean],
        "label": {
            "formatter": f"{STAR} {_write(spread)}" if wins else _write(spread),
            "fontWeight": "bold" if wins else "normal",
            # Dark text on a strong cell of the dark theme, and the other way round in the light one.
            "color": "#10161C" if is_strong == dark else "#FFFFFF",
        },
    }


def _share(mean: float, low: float, high: float, lower_is_better: bool) -> float:
    share = (mean - low) / (high - low) if high > low else 0.0
    return 1 - share if lower_is_better else share


def _write(spread: Spread) -> str:
    spent = "" if spread.deviation is None else f", sd {spread.deviation:.2g}"
    return f"{spread.write()}\nn {spread.size}{spent}"


def _places(matrix: Matrix) -> list[tuple[int, int]]:
    return [(column, line) for line in range(len(matrix.lines)) for column in range(len(matrix.columns))]
