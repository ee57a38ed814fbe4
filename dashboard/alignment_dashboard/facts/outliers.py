"""Which values of a curve lie far outside what their neighbours spread over."""

import numpy
import pandas
from numpy.typing import NDArray

NEIGHBOURS = 31
"""The noise is that of this many points around a value: few enough to follow a curve that falls."""
BESIDE = 7
"""A value is compared with the median of this many points on each side: more than twice as many as a spike usually lasts."""
DEVIATIONS = 10.0
"""A point is an outlier only beyond ten standard deviations of its neighbours: noise of training has heavier tails than a normal
distribution, which never gets that far."""
FLATNESS = 0.05
"""Beside a flat line without noise, a point is an outlier only if it differs by more than this share."""
_TO_DEVIATION = 1.4826  # a normal distribution's standard deviation, in median absolute deviations


def outliers(values: NDArray[numpy.float64]) -> NDArray[numpy.bool_]:
    """Return which values lie far from both sides in the same direction, such as the spike of one bad batch.

    A steep part of a curve lies between its two sides, and the first and the last value have one side only.
    """
    finite = pandas.Series(values).where(numpy.isfinite(values))
    before, after = _median_before(finite), _median_before(finite[::-1])[::-1]
    higher = numpy.minimum(finite - before, finite - after)
    lower = numpy.minimum(before - finite, after - finite)
    limit = numpy.maximum(DEVIATIONS * _noise(finite), FLATNESS * numpy.abs(usual(values)))
    found: NDArray[numpy.bool_] = (numpy.maximum(higher, lower) > limit).to_numpy()
    return found


def _median_before(finite: pandas.Series) -> pandas.Series:
    return finite.rolling(BESIDE, min_periods=1).median().shift(1)


def _noise(finite: pandas.Series) -> pandas.Series:
    """Return the standard deviation around each value; the steps of a slope count as noise too."""
    spreads = ((finite - usual(finite.to_numpy())).abs(), finite.diff().abs() / 2**0.5)
    medians = [spread.rolling(NEIGHBOURS, center=True, min_periods=5).median() for spread in spreads]
    return numpy.maximum(*medians) * _TO_DEVIATION


def usual(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return the median of each value's neighbours."""
    finite = pandas.Series(values).where(numpy.isfinite(values))
    medians: NDArray[numpy.float64] = finite.rolling(NEIGHBOURS, center=True, min_periods=5).median().to_numpy()
    return medians
