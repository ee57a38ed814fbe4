"""One metric over the steps of a run, and how it is made shorter without losing what matters."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class Point(NamedTuple):
    """A value and the optimizer step it belongs to; the value may be no number."""

    step: int
    value: float


History = Sequence[Point]
Histories = dict[str, History]
"""Histories by the name of their metric."""


def thin(history: History, buckets: int) -> list[Point]:
    """Keep at most four points of each bucket: its first broken value, its lowest, its highest and its last."""
    if len(history) <= 4 * buckets:
        return list(history)
    kept: list[Point] = [history[0]]
    for start, end in _bounds(len(history), buckets):
        kept += [point for point in _telling(history[start:end]) if point.step > kept[-1].step]
    return kept


def broken(history: History) -> list[Point]:
    """Give the points that are no numbers: a training that diverged."""
    return [point for point in history if not math.isfinite(point.value)]


def _bounds(length: int, buckets: int) -> Iterator[tuple[int, int]]:
    edges = [length * number // buckets for number in range(buckets + 1)]
    return pairwise(edges)


def _telling(points: History) -> list[Point]:
    numbers = [point for point in points if math.isfinite(point.value)]
    chosen = {*broken(points)[:1], points[-1]}
    if numbers:
        chosen |= {min(numbers, key=lambda point: point.value), max(numbers, key=lambda point: point.value)}
    return sorted(chosen, key=lambda point: point.step)
