"""Means with their standard errors, and differences of two models on the same questions; pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean of independent questions."""

    value: float | None
    """None without a single value."""
    error: float | None
    """Its standard error; None below two values."""
    count: int
    left_out: int = 0
    """Questions without a value."""

    def exceeds(self, errors: float = 1.0) -> bool:
        """Return whether the value is above zero by more than so many standard errors."""
        return self.value is not None and self.error is not None and self.value > errors * self.error


def mean(values: Iterable[float | None]) -> Estimate:
    """Return the mean of the values that there are, with the standard error of independent values."""
    every = list(values)
    known = np.array([value for value in every if value is not None], dtype=float)
    return Estimate(
        value=float(known.mean()) if known.size else None,
        error=float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else None,
        count=known.size,
        left_out=len(every) - known.size,
    )


def win_rate(outcomes: Iterable[float | None]) -> Estimate:
    """Return the mean outcome of duels, in which a tie is half a win; one outcome for each question, both orders together."""
    return mean(outcomes)


def by_question(rows: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Return the mean of each question's rows: several answers to one question are not independent."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for question, value in rows:
        if value is not None:
            values[question].append(value)
    return {question: float(np.mean(known)) for question, known in values.items()}


def paired_difference(scores: Mapping[str, float], earlier: Mapping[str, float]) -> Estimate:
    """Return by how much the first scores exceed the second ones, on the questions that both have."""
    both = [question for question in scores if question in earlier]
    found = mean(scores[question] - earlier[question] for question in both)
    return replace(found, left_out=len(scores.keys() ^ earlier.keys()))
