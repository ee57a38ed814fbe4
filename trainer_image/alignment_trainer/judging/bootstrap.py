"""Metrics of a whole corpus, which are no means of rows, with errors and intervals of a bootstrap over prompts; pure.

A drawn corpus has as many prompts as the real one, each with all its rows. Metrics are computed of sums over rows, so of a drawn
corpus only these sums are needed: those of each prompt, as often as it is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from alignment_api.results.evaluation import Estimate

from alignment_trainer.judging.statistics import LEVEL, Numbers

Metric = Callable[[Numbers], Any]
"""Computes a metric from sums over rows, such as perplexity from log-likelihood and number of tokens. Each sum is a number, or an
array with the numbers of many corpora."""
Rows = Mapping[str, tuple[str, Sequence[float] | None]]
"""By row, its prompt and the numbers that add up over rows; None where it failed."""

_DRAWS = 2_000
_SEED = 0


class Sums:
    """What adds up over the rows of one model; a prompt of which a row has no numbers has failed."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.failed = {prompt for prompt, numbers in rows.values() if numbers is None}
        known = [(prompt, numbers) for prompt, numbers in rows.values() if numbers is not None and prompt not in self.failed]
        self.prompts = list(dict.fromkeys(prompt for prompt, _ in known))
        place = {prompt: number for number, prompt in enumerate(self.prompts)}
        self._of_prompts = np.zeros((len(self.prompts), len(known[0][1]) if known else 0))
        if known:
            np.add.at(self._of_prompts, [place[prompt] for prompt, _ in known], [numbers for _, numbers in known])

    @property
    def whole(self) -> Numbers:
        """Return the sums over all rows."""
        found: Numbers = self._of_prompts.sum(axis=0)
        return found

    @cached_property
    def drawn(self) -> Numbers:
        """Return the sums of all drawn corpora: a row for each sum, a column for each corpus."""
        counts = _counts(len(self.prompts))
        # Not by BLAS, whose last digits may depend on the number of threads, and so on the number of processes.
        return np.stack([np.einsum("dp,p->d", counts, column) for column in np.ascontiguousarray(self._of_prompts.T)])


def corpus(sums: Sums, metric: Metric) -> Estimate:
    """Return a corpus metric; one that is no finite number has no value."""
    return _estimate([sums], metric, len(sums.failed))


def corpus_difference(sums: Sums, earlier: Sums, metric: Metric) -> Estimate:
    """Return by how much the first model's corpus metric exceeds the second's, both on the same drawn prompts."""
    prompts = {prompt for of in (earlier, sums) for prompt, _ in of.rows.values()}
    both = _of_same_rows(sums, earlier)
    return _estimate(both, lambda new, old: metric(new) - metric(old), len(prompts) - len(both[0].prompts))


def _of_same_rows(sums: Sums, earlier: Sums) -> list[Sums]:
    """Return the sums of the prompts of which both models have all rows, in one order."""
    if list(sums.rows) == list(earlier.rows) and sums.prompts == earlier.prompts:
        return [sums, earlier]
    lacking = {of[row][0] for of in (sums.rows, earlier.rows) for row in sums.rows.keys() ^ earlier.rows.keys() if row in of}
    shared = (set(sums.prompts) & set(earlier.prompts)) - lacking
    wanted = [row for row, (prompt, _) in sums.rows.items() if prompt in shared]
    return [Sums({row: of.rows[row] for row in wanted}) for of in (sums, earlier)]


def _estimate(models: Sequence[Sums], metric: Callable[..., Any], failed: int) -> Estimate:
    count = len(models[0].prompts)
    if not count:
        return Estimate(count=0, failed=failed)
    # A metric may be larger than a number can be.
    with np.errstate(all="ignore"):
        value = float(metric(*(one.whole for one in models)))
        if not np.isfinite(value):
            return Estimate(count=count, failed=failed)
        return Estimate(value=value, count=count, failed=failed, **_interval(models, metric))


def _interval(models: Sequence[Sums], metric: Callable[..., Any]) -> dict[str, float]:
    """Return the standard error and both ends; nothing where a drawn corpus has no value, or one prompt is all there is."""
    if len(models[0].prompts) < 2:
        return {}
    values = metric(*(one.drawn for one in models))
    error = float(np.std(values, ddof=1))
    if not np.isfinite(error):
        return {}
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"error": error, "low": float(low), "high": float(high)}


@lru_cache(maxsize=2)
def _counts(prompts: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return how often each prompt is in each drawn corpus: the same for all metrics, models and pairs of as many prompts."""
    draw = np.random.default_rng(_SEED)
    counts = np.empty((_DRAWS, prompts), dtype=np.uint8)
    for drawn in counts:
        # That a prompt is drawn more than 255 times has no chance: that of 20 times is below 1e-18.
        drawn[:] = np.bincount(draw.integers(0, prompts, prompts), minlength=prompts)
    return counts
