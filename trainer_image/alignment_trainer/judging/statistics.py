"""Means, rates and corpus metrics with standard errors and 95 % intervals, and paired differences of two models; pure.

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

Metric = Callable[[Numbers], float]
"""Computes a metric of a whole corpus from sums over its rows, such as perplexity from log-likelihood and number of tokens."""

_LEVEL = 0.95
_DRAWS = 2_000


def mean(values: Iterable[float | None]) -> Estimate:
    """Return the mean of the values that there are, each of another prompt."""
    return clustered((str(place), value) for place, value in enumerate(values))


def win_rate(outcomes: Iterable[float | None]) -> Estimate:
    """Return the mean outcome of duels, in which a tie is half a win; one outcome for each question, both orders together."""
    return mean(outcomes)


def clustered(rows: Iterable[tuple[str, float | None]]) -> Estimate:
    """Return the mean over all rows, each with its prompt; the error counts the rows of one prompt as one observation."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for prompt, value in rows:
        values[prompt] += [] if value is None else [value]
    known = [np.array(found, dtype=float) for found in values.values() if found]
    failed = len(values) - len(known)
    if not known:
        return Estimate(count=0, failed=failed)
    every = np.concatenate(known)
    value = float(every.mean())
    error = _error(known, value, every.size)
    low, high = _interval(every, value, error, len(known))
    return Estimate(value=value, error=error, low=low, high=high, count=len(known), failed=failed)


def paired_difference(scores: Mapping[str, float], earlier: Mapping[str, float]) -> Estimate:
    """Return by how much the first scores exceed the second ones, on the questions that both have."""
    return clustered_difference(
        {question: (question, value) for question, value in scores.items()},
        {question: (question, value) for question, value in earlier.items()},
    )


def clustered_difference(
    rows: Mapping[str, tuple[str, float | None]], earlier: Mapping[str, tuple[str, float | None]]
) -> Estimate:
    """Return by how much the first model exceeds the second on the rows that both have; each row has its prompt and value."""
    prompts = {row: prompt for of in (earlier, rows) for row, (prompt, _) in of.items()}
    known = [{row: value for row, (_, value) in of.items() if value is not None} for of in (rows, earlier)]
    return clustered(
        (prompt, known[0][row] - known[1][row] if row in known[0] and row in known[1] else None)
        for row, prompt in prompts.items()
    )


def corpus(rows: Iterable[tuple[str, Sequence[float]]], metric: Metric, seed: int = 0) -> Estimate:
    """Return a corpus metric of all rows' sums, with a bootstrap that draws prompts with all their rows."""
    sums: dict[str, Numbers] = {}
    for prompt, parts in rows:
        sums[prompt] = sums.get(prompt, 0) + np.asarray(parts, dtype=float)
    if not sums:
        return Estimate(count=0)
    prompts = np.stack(list(sums.values()))
    value, count = float(metric(prompts.sum(axis=0))), len(prompts)
    if count < 2:
        return Estimate(value=value, count=count)
    draw = np.random.default_rng(seed)
    drawn = [metric(prompts[draw.integers(0, count, count)].sum(axis=0)) for _ in range(_DRAWS)]
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Estimate(value=value, error=float(np.std(drawn, ddof=1)), low=float(low), high=float(high), count=count)


def corpus_difference(
    rows: Mapping[str, tuple[str, Sequence[float]]],
    earlier: Mapping[str, tuple[str, Sequence[float]]],
    metric: Metric,
    seed: int = 0,
) -> Estimate:
    """Return by how much the first model's corpus metric exceeds the second's, both on the same drawn prompts."""
    both = [(prompt, [*parts, *earlier[row][1]]) for row, (prompt, parts) in rows.items() if row in earlier]

    def difference(sums: Numbers) -> float:
        new, old = np.split(sums, 2)
        return metric(new) - metric(old)

    found = corpus(both, difference, seed)
    prompts = {prompt for prompt, _ in (*rows.values(), *earlier.values())}
    return found.model_copy(update={"failed": len(prompts) - found.count})


def exceeds(estimate: Estimate, errors: float = 1.0) -> bool:
    """Return whether the value is above zero by more than so many standard errors."""
    return estimate.value is not None and estimate.error is not None and estimate.value > errors * estimate.error


def _error(prompts: Sequence[Numbers], value: float, rows: int) -> float | None:
    """Return the standard error of a mean over rows; with one row for each prompt it is that of independent values."""
    count = len(prompts)
    if count < 2:
        return None
    deviations = np.array([float((found - value).sum()) for found in prompts])
    return float(np.sqrt(count / (count - 1) * (deviations**2).sum()) / rows)


def _interval(every: Numbers, value: float, error: float | None, count: int) -> tuple[float | None, float | None]:
    if error is None:
        return None, None
    if count == every.size and np.isin(every, (0, 1)).all():
        # Of 20 right answers the other interval would say that the model is never wrong.
        found = stats.binomtest(int(every.sum()), count).proportion_ci(_LEVEL, "wilson")
        return float(found.low), float(found.high)
    around = error * float(stats.t.ppf((1 + _LEVEL) / 2, count - 1))
    return value - around, value + around
