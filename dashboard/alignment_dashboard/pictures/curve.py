"""What is drawn of one history: the part in view, its smoothed line, and which of its points are outliers."""

from typing import NamedTuple

import numpy
import pandas
from numpy.typing import NDArray

from alignment_dashboard.facts.outliers import outliers
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.scale import Scale
from alignment_dashboard.store.history import History, thin

Numbers = NDArray[numpy.float64]
Flags = NDArray[numpy.bool_]


class Curve(NamedTuple):
    """The points of one metric in view, in the order of x."""

    x: Numbers
    values: Numbers
    smoothed: Numbers
    outliers: Flags

    @property
    def finite(self) -> Numbers:
        """Return the values that are neither NaN nor infinite."""
        return self.values[numpy.isfinite(self.values)]


def curve_of(history: History, display: Display, scale: Scale, start: int) -> Curve:
    """Return the curve of a history; `start` is the time from which the x axis counts, in milliseconds since 1970."""
    x = (history.times - start) / (1_000 * scale.seconds) if scale.seconds else history.steps.astype(float)
    strange = outliers(history.values)
    smoothed = smooth(numpy.where(strange, numpy.nan, history.values), display.smoothing)
    smoothed[~numpy.isfinite(history.values)] = numpy.nan
    curve = Curve(x, history.values, smoothed, strange)
    if display.window is None:
        return curve
    low, high = display.window
    seen = (x >= low) & (x <= high)
    return Curve(x[seen], history.values[seen], smoothed[seen], strange[seen])


def smooth(values: Numbers, weight: float) -> Numbers:
    """Return the exponential moving average, corrected for its start; NaN and infinity do not count."""
    finite = pandas.Series(values).where(numpy.isfinite(values))
    # `adjust` divides by the sum of the weights so far, so that the first values do not drag the line towards 0.
    averaged: Numbers = finite.ewm(alpha=1 - weight, adjust=True, ignore_na=True).mean().to_numpy(copy=True)
    return averaged


def thin_x(curve: Curve, buckets: int) -> Numbers:
    """Return where a chart needs points of a long curve: at every extreme, and at every NaN or infinity that begins a gap."""
    kept = thin(History(numpy.arange(len(curve.x)), curve.values, numpy.zeros(len(curve.x), numpy.int64)), buckets)
    return curve.x[kept.steps]


def points_at(x: Numbers, values: Numbers, places: Numbers, between: bool) -> list[list[float | None]]:
    """Return the points at the places that a line has; with `between`, places between two of its points too."""
    if not len(x):
        return []
    places = places[(places >= x[0]) & (places <= x[-1])]
    nearest = numpy.searchsorted(x, places)
    exact = x[nearest] == places
    if not between:
        places, nearest, exact = places[exact], nearest[exact], exact[exact]
    found = numpy.where(exact, values[nearest], numpy.interp(places, x, values))
    return [[short(float(place)), short(float(value))] for place, value in zip(places, found, strict=True)]


def short(value: float) -> float | None:
    """Return a value with six digits, all that a pixel can show; None for NaN and infinity."""
    return float(f"{value:.6g}") if numpy.isfinite(value) else None
