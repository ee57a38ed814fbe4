"""Means and rates with standard errors and 95 % intervals, and paired differences of two models; pure.

Rows of one prompt depend on each other: samples of one answer, turns of one dialogue, both orders of one comparison. So
each prompt is one observation, however many rows it has.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from alignment_api.results.evaluation import Estimate
from scipy import stats

Numbers = np.ndarray[Any, np.dtype[np.float64]]

_Interval = Callable[[Numbers, float, float, int], tuple[float, float]]
"""Returns both ends, from all values, their mean, its standard error and the number of prompts."""
LEVEL = 0.95


def mean(values: Iterable[float | None]) -> Estimate:
    """Return the mean of the values that there are, each of another prompt."""
    return clustered((str(place), value) for place, value in enumerate(values))


def win_rate(outcomes: Iterable[float | None]) -> Estimate:
    """Return the mean outcome of duels, in which a tie is half a win; one outcome for each question, both orders together."""
    return mean(outcomes)


def clustered(rows: Iterable[tuple[str, float | None]], is_share: bool = True) -> Estimate:
    """Return the mean over all rows, each with its prompt; the error counts the rows of one prompt as one observation.

    A prompt of which a row has no value has failed, with all its rows: second turns that miss would lift the mean of the rest.
    `is_share` is False for a mean that may lie beyond 0 and 1, such as that of a length.
    """
    return _mean(rows, _share_interval if is_share else _student_interval)


def paired_difference(scores: Mapping[str, float], earlier: Mapping[str, float]) -> Estimate:
    """Return by how much the first scores exceed the second ones, on the questions that both have."""
    return clustered_difference(
        {question: (question, value) for question, value in scores.items()},
        {question: (question, value) for question, value in earlier.items()},
    )


def clustered_difference(
    rows: Mapping[str, tuple[str, float | None]], earlier: Mapping[str, tuple[str, float | None]], is_share: bool = True
) -> Estimate:
    """Return by how much the first model exceeds the second on the prompts of which both have all rows, each with its value."""
    prompts = {row: prompt for of in (earlier, rows) for row, (prompt, _) in of.items()}
    known = [{row: value for row, (_, value) in of.items() if value is not None} for of in (rows, earlier)]
    values = {value for of in known for value in of.values()}
    return _mean(
        (
            (prompt, known[0][row] - known[1][row] if row in known[0] and row in known[1] else None)
            for row, prompt in prompts.items()
        ),
        _share_difference_interval if is_share and values <= {0, 1} else _student_interval,
    )


def exceeds(estimate: Estimate, errors: float = 1.0) -> bool:
    """Return whether the value is above zero by more than so many standard errors."""
    return estimate.value is not None and estimate.error is not None and estimate.value > errors * estimate.error


def _mean(rows: Iterable[tuple[str, float | None]], interval: _Interval) -> Estimate:
    values: defaultdict[str, list[float | None]] = defaultdict(list)
    for prompt, value in rows:
        values[prompt].append(value)
    known = [np.array(found, dtype=float) for found in values.values() if None not in found]
    failed = len(values) - len(known)
    if not known:
        return Estimate(count=0, failed=failed)
    every, count = np.concatenate(known), len(known)
    value = float(every.mean())
    error = _error(known, value, every.size)
    low, high = (None, None) if error is None else interval(every, value, error, count)
    return Estimate(value=value, error=error, low=low, high=high, count=count, failed=failed)


def _error(prompts: Sequence[Numbers], value: float, rows: int) -> float | None:
    """Return the standard error of a mean over rows; with one row for each prompt it is that of independent values."""
    count = len(prompts)
    if count < 2:
        return None
    deviations = np.array([float((found - value).sum()) for found in prompts])
    return float(np.sqrt(count / (count - 1) * (deviations**2).sum()) / rows)


def _student_interval(every: Numbers, value: float, error: float, count: int) -> tuple[float, float]:
    around = error * float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
    return value - around, value + around


def _share_interval(every: Numbers, value: float, error: float, count: int) -> tuple[float, float]:
    """Return Wilson's interval of a share: of 20 right answers Student's would say that the model is never wrong."""
    if not np.isin(every, (0, 1)).all():
        low, high = _student_interval(every, value, error, count)
        return max(0.0, low), min(1.0, high)
    # As many independent rows would have this error: rows of one prompt say less. Without an error, each prompt counts as one.
    rows = min(every.size, value * (1 - value) / error**2) if error and count != every.size else count
    square = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    middle = (value + square / (2 * rows)) / (1 + square / rows)
    around = float(np.sqrt(square * (value * (1 - value) / rows + square / (4 * rows**2)))) / (1 + square / rows)
    return max(0.0, middle - around), min(1.0, middle + around)


def _share_difference_interval(every: Numbers, value: float, error: float, count: int) -> tuple[float, float]:
    """Return the interval of Agresti and Min, which counts half a row more of each pair of right and wrong.

    Of few rows on which the models differ, Student's would call four in one direction a difference.
    """
    if count != every.size:
        return _student_interval(every, value, error, count)
    rows = count + 2
    middle = float(every.sum()) / rows
    variance = (float(np.abs(every).sum()) + 1) / rows - middle**2
    around = float(stats.norm.ppf((1 + LEVEL) / 2)) * (variance / rows) ** 0.5
    return max(-1.0, middle - around), min(1.0, middle + around)
