"""The points of one metric over the steps of a run, and how a long history is thinned out for a chart."""

import math
import sys
from collections.abc import Mapping, Sequence
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

LARGEST = sys.float_info.max
"""As this number MLflow stores infinity."""

NO_POINTS = History(numpy.empty(0, numpy.int64), numpy.empty(0, numpy.float64), numpy.empty(0, numpy.int64))


def history_of(points: Sequence[tuple[int, float | None, int]]) -> History:
    """Make a history of step, value and time; of several values of one step, the one logged last counts."""
    if not points:
        return NO_POINTS
    rows = numpy.array(points, [("step", numpy.int64), ("value", numpy.float64), ("time", numpy.int64)])
    return _latest_of_each_step(rows["step"], rows["value"], rows["time"])


def end_of(history: History) -> tuple[int, ...]:
    """Return the number of points, and step and time of the last one: a history that has grown has another end."""
    return len(history.steps), *history.steps[-1:].tolist(), *history.times[-1:].tolist()


def finite_or_infinite(value: float | None) -> float:
    """Return a value as it was logged: MLflow stores infinity as the largest number, and NaN beside the number."""
    if value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def joined(earlier: History, later: History) -> History:
    """Join two parts of a history, which may overlap."""
    return _latest_of_each_step(*(numpy.concatenate(columns) for columns in zip(earlier, later, strict=True)))


def _latest_of_each_step(steps: NDArray[numpy.int64], values: NDArray[numpy.float64], times: NDArray[numpy.int64]) -> History:
    # A resumed attempt repeats the steps since its checkpoint; the values logged last belong to the model that is kept.
    order = numpy.lexsort((times, steps))
    steps, values, times = steps[order], values[order], times[order]
    is_last = numpy.append(steps[1:] != steps[:-1], numpy.ones(min(len(steps), 1), bool))
    return History(
        steps[is_last], numpy.where(abs(values) >= LARGEST, numpy.copysign(numpy.inf, values), values)[is_last], times[is_last]
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
