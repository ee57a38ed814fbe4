"""The range of a y axis: it shows all points, unless a few of them would flatten the rest."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy

from alignment_dashboard.pictures.curve import Curve, Numbers
from alignment_dashboard.pictures.panels import Mark

LEAST_SHARE = 0.45
"""The middle of the points keeps this share of the range at least; with margins and a mark, more than 30 % of the panel."""
MIDDLE = (2, 98)
"""Which percentiles bound the middle of the points: a spike is rarer than one point in fifty."""
MARGIN = 0.06
FEWEST_NUMBERS, MOST_POWERS = 2, 2
"""A logarithmic axis needs so many round numbers, and has only powers of ten if there are more of them than this."""


class Span(NamedTuple):
    """The lowest and highest value of a y axis."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value is inside."""
        return self.low <= value <= self.high


def span_of(curves: Sequence[Curve], clip: bool, mark: Mark | None = None) -> Span:
    """Return the range of a panel's y axis."""
    values = numpy.concatenate([numpy.empty(0), *(curve.finite for curve in curves)])
    if not len(values):
        return Span(0, 1)
    core = Span(*(float(edge) for edge in numpy.percentile(values, MIDDLE)))
    return _with_margin(_with_mark(core if clip else _unclipped(curves, values, core), mark))


def logarithmic(curves: Sequence[Curve], clip: bool) -> Span | None:
    """Return the range of a logarithmic y axis, which has room for spikes.

    None if a value is not above 0, or if all are so close that the axis would have no two round numbers.
    """
    values = numpy.concatenate([numpy.empty(0), *(curve.finite for curve in curves)])
    if not len(values) or values.min() <= 0:
        return None
    ends = numpy.percentile(numpy.log10(values), MIDDLE if clip else (0, 100))
    span = _with_margin(Span(float(ends[0]), float(ends[1])))
    found = Span(float(f"{10**span.low:.2g}"), float(f"{10**span.high:.2g}"))
    return found if len(round_numbers(found)) >= FEWEST_NUMBERS else None


def round_numbers(span: Span) -> list[float]:
    """Return the numbers of a logarithmic axis: powers of ten, and where there are few of them also their double and fivefold."""
    powers = range(math.floor(math.log10(span.low)), math.ceil(math.log10(span.high)) + 1)
    tens, more = ([float(f"{digit}e{power}") for power in powers for digit in digits] for digits in ((1,), (1, 2, 5)))
    held = [number for number in tens if span.holds(number)]
    return held if len(held) > MOST_POWERS else [number for number in more if span.holds(number)]


def _unclipped(curves: Sequence[Curve], values: Numbers, core: Span) -> Span:
    whole, middle = Span(float(values.min()), float(values.max())), core.high - core.low
    if middle >= LEAST_SHARE * (whole.high - whole.low):
        return whole
    # Something has to leave the panel. Points that differ from their neighbours leave first; a curve that falls fast at its
    # start, or that diverges at its end, is shown as far as the middle stays readable.
    usual = numpy.concatenate([curve.values[numpy.isfinite(curve.values) & ~curve.outliers] for curve in curves])
    rest = Span(float(usual.min()), float(usual.max())) if len(usual) else core
    below, above, room = max(0.0, core.low - rest.low), max(0.0, rest.high - core.high), middle / LEAST_SHARE - middle
    part = min(1.0, room / (below + above)) if below + above and middle else 1.0
    return Span(core.low - part * below, core.high + part * above)


def _with_mark(span: Span, mark: Mark | None) -> Span:
    """Extend the range to a mark that is near."""
    if mark is None:
        return span
    reach = (span.high - span.low) / 5
    near = span.low - reach <= mark.value <= span.high + reach
    return Span(min(span.low, mark.value), max(span.high, mark.value)) if near else span


def _with_margin(span: Span) -> Span:
    width = span.high - span.low or abs(span.high) / 5 or 1.0
    # Few digits, since an axis keeps as much room for its numbers as its ends are long.
    digits = 2 - math.floor(math.log10(width))
    return Span(round(span.low - MARGIN * width, digits), round(span.high + MARGIN * width, digits))
