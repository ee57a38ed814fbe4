"""Points that a line alone would not show: outliers, points beyond the edge, and NaN or infinity."""

from typing import Any

import numpy

from alignment_dashboard.pictures.curve import Curve, Flags, Numbers
from alignment_dashboard.pictures.span import Span

MOST = 24
"""Marks of one line; of more, those with the largest values."""


def outside(curve: Curve, span: Span) -> Flags:
    """Return which finite points are not inside the range of the y axis."""
    finite = numpy.isfinite(curve.values)
    return finite & ((curve.values < span.low) | (curve.values > span.high))


def gaps(values: Numbers) -> list[int]:
    """Return the first point of each row of points that are NaN or infinite."""
    broken = ~numpy.isfinite(values)
    return [int(index) for index in numpy.flatnonzero(broken & ~numpy.r_[False, broken[:-1]])]


def edge_marks(curve: Curve, span: Span, colour: str) -> list[dict[str, Any]]:
    """Return a triangle at the edge, with its value, for each point beyond it."""
    return [
        {
            "value": [float(curve.x[index]), span.high if above else span.low, f"{curve.values[index]:.4g}"],
            "symbol": "triangle",
            "symbolRotate": 0 if above else 180,
            "symbolOffset": [0, "50%" if above else "-50%"],
            "itemStyle": {"color": colour},
            "label": {"position": "right"},
        }
        for index in _largest(curve, outside(curve, span))
        for above in (bool(curve.values[index] > span.high),)
    ]


def outlier_marks(curve: Curve, span: Span, colour: str) -> list[dict[str, Any]]:
    """Return a ring around each outlier inside the range."""
    return [
        {
            "value": [float(curve.x[index]), float(curve.values[index]), ""],
            "symbol": "emptyCircle",
            "itemStyle": {"color": colour},
        }
        for index in _largest(curve, curve.outliers & ~outside(curve, span))
    ]


def gap_marks(curve: Curve, span: Span, colour: str) -> list[dict[str, Any]]:
    """Return a mark at the bottom for each gap, with the word NaN or infinity and where it begins."""
    return [
        {
            "value": [float(curve.x[index]), span.low, f"{_word(float(curve.values[index]))} at {curve.x[index]:,.6g}"],
            "symbol": "diamond",
            "symbolSize": 10,
            "symbolOffset": [0, "-50%"],
            "itemStyle": {"color": colour},
            "label": {"position": "left" if _is_late(curve, index) else "right", "color": colour, "fontWeight": "bold"},
        }
        for index in gaps(curve.values)[:MOST]
    ]


def _word(value: float) -> str:
    return "NaN" if numpy.isnan(value) else "+∞" if value > 0 else "−∞"


def _is_late(curve: Curve, index: int) -> bool:
    return bool(curve.x[index] > (curve.x[0] + curve.x[-1]) / 2)


def _largest(curve: Curve, wanted: Flags) -> list[int]:
    found = numpy.flatnonzero(wanted)
    return [int(index) for index in found[numpy.argsort(-numpy.abs(curve.values[found]))][:MOST]]
