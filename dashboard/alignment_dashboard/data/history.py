"""The points of one metric over the steps of a run, and how a long history is thinned out for a chart."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A value and the optimizer step it belongs to; the value may be NaN or infinite."""

    step: int
    value: float


History = Sequence[Point]
Histories = dict[str, History]
"""Histories by the name of their metric."""


def points_of(history: Any) -> Sequence[Point]:
    """Return a history of arrays as points."""
    return [Point(step, value) for step, value in zip(history.steps.tolist(), history.values.tolist(), strict=True)]


def thin(history: History, buckets: int) -> list[Point]:
    """Keep at most four points of each bucket: the first NaN or infinity, the lowest, the highest and the last."""
    if len(history) <= 4 * buckets:
        return list(history)
    kept: list[Point] = [history[0]]
    for start, end in _edges(len(history), buckets):
        kept += [point for point in _extremes(history[start:end]) if point.step > kept[-1].step]
    return kept


def not_finite(history: History) -> list[Point]:
    """Return the points that are NaN or infinite, as after a divergence."""
    return [point for point in history if not math.isfinite(point.value)]


def _edges(length: int, buckets: int) -> Iterator[tuple[int, int]]:
    return pairwise(length * number // buckets for number in range(buckets + 1))


def _extremes(points: History) -> list[Point]:
    numbers = [point for point in points if math.isfinite(point.value)]
    kept = {*not_finite(points)[:1], points[-1]}
    if numbers:
        kept |= {min(numbers, key=lambda point: point.value), max(numbers, key=lambda point: point.value)}
    return sorted(kept, key=lambda point: point.step)
