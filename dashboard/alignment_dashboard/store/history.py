"""The points of one metric over the steps of a run, and how a long history is thinned out for a chart."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy
from numpy.typing import NDArray


class History(NamedTuple):
    """Points in the order of their steps, one per step; values may be NaN or infinite."""

    steps: NDArray[numpy.int64]
    values: NDArray[numpy.float64]
    times: NDArray[numpy.int64]
    """When each point was logged, in milliseconds since 1970."""


Histories = Mapping[str, History]
"""Histories by the name of their metric."""

NO_POINTS = History(numpy.empty(0, numpy.int64), numpy.empty(0, numpy.float64), numpy.empty(0, numpy.int64))


def history_of(points: list[tuple[int, float, int]]) -> History:
    """Make a history of step, value and time; of several values of one step, the one logged last counts."""
    # A resumed attempt repeats the steps since its checkpoint; the values logged last belong to the model that is kept.
    latest = {step: (value, time) for step, value, time in sorted(points, key=lambda point: point[2])}
    steps = sorted(latest)
    return History(
        numpy.array(steps, numpy.int64),
        numpy.array([latest[step][0] for step in steps], numpy.float64),
        numpy.array([latest[step][1] for step in steps], numpy.int64),
    )


def thin(history: History, buckets: int) -> History:
    """Keep at most four points of each bucket: the first NaN or infinity, the lowest, the highest and the last."""
    length = len(history.steps)
    if length <= 4 * buckets:
        return history
    kept: set[int] = {0}
    edges = length * numpy.arange(buckets + 1) // buckets
    for start, end in pairwise(edges):
        kept |= {int(start) + index for index in _extremes(history.values[start:end])}
    chosen = numpy.array(sorted(kept))
    return History(history.steps[chosen], history.values[chosen], history.times[chosen])


def _extremes(values: NDArray[numpy.float64]) -> set[int]:
    finite = numpy.isfinite(values)
    kept = {len(values) - 1}
    if not finite.all():
        kept.add(int(numpy.argmin(finite)))
    if finite.any():
        kept.add(int(numpy.where(finite, values, numpy.inf).argmin()))
        kept.add(int(numpy.where(finite, values, -numpy.inf).argmax()))
    return kept
