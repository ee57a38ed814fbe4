"""Histories for the tests of pictures."""

from collections.abc import Sequence

import numpy
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.store.history import Histories, History

MILLISECONDS = 2_000
"""Time between two steps."""


def a_history(values: Sequence[float], every: int = 1, start: int = 0) -> History:
    """Return a history with a value at each step, or at every so many."""
    steps = numpy.arange(1, len(values) + 1, dtype=numpy.int64) * every
    return History(steps, numpy.array(values, numpy.float64), start + steps * MILLISECONDS)


def noise(length: int, around: float = 1.0, deviation: float = 0.05, seed: int = 0) -> list[float]:
    """Return normal noise, the same at every call."""
    return list(numpy.random.default_rng(seed).normal(around, deviation, length))


def a_trace(histories: Histories, name: str = "one") -> Trace:
    """Return the trace of a run."""
    return Trace(name, name, "#0072B2", "solid", histories)
