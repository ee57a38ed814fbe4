"""Which values of a curve lie far outside what their neighbours spread over."""

import numpy
import pandas
from numpy.typing import NDArray

NEIGHBOURS = 31
"""An outlier is compared with this many points around it: few enough to follow a curve that falls, and more than twice as many as
a spike usually lasts."""
DEVIATIONS = 10.0
"""A point is an outlier only beyond ten standard deviations of its neighbours: noise of training has heavier tails than a normal
distribution, which never gets that far."""
FLATNESS = 0.05
"""Beside a flat line without noise, a point is an outlier only if it differs by more than this share."""
_TO_DEVIATION = 1.4826  # a normal distribution's standard deviation, in median absolute deviations


def outliers(values: NDArray[numpy.float64]) -> NDArray[numpy.bool_]:
    """Return which values lie far from their neighbours, such as the spike of one bad batch."""
    finite = pandas.Series(values).where(numpy.isfinite(values))
    distance = (finite - usual(values)).abs()
    spread = distance.rolling(NEIGHBOURS, center=True, min_periods=5).median() * _TO_DEVIATION
    found: NDArray[numpy.bool_] = (distance > numpy.maximum(DEVIATIONS * spread, FLATNESS * numpy.abs(usual(values)))).to_numpy()
    return found


def usual(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """Return the median of each value's neighbours."""
    finite = pandas.Series(values).where(numpy.isfinite(values))
    medians: NDArray[numpy.float64] = finite.rolling(NEIGHBOURS, center=True, min_periods=5).median().to_numpy()
    return medians
