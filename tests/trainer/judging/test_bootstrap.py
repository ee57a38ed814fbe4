"""Metrics of a whole corpus against scipy's bootstrap, and against one that adds up the rows of each drawn corpus."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from alignment_api.results.evaluation import Estimate
from alignment_trainer.judging.bootstrap import Rows, Sums, corpus, corpus_difference
from alignment_trainer.judging.statistics import Numbers, clustered
from scipy import stats

Row = tuple[str, tuple[float, ...] | None]


def perplexity(sums: Numbers) -> Any:
    return np.exp(sums[0] / sums[1])


def mean(sums: Numbers) -> Any:
    return sums[0] / sums[1]


def documents(seed: int, count: int = 50) -> list[tuple[str, tuple[float, float]]]:
    """Draw the summed surprise of documents of very different lengths."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(20, 400, size=count)
    return [(str(place), (float(tokens * draw.normal(3, 0.4)), float(tokens))) for place, tokens in enumerate(lengths)]


def summed(rows: Iterable[Row]) -> Sums:
    return Sums({str(place): row for place, row in enumerate(rows)})


def added_up(prompts: list[tuple[float, ...]], metric: Callable[[Numbers], float], draws: int = 2000) -> tuple[float, ...]:
    """Return error and both ends of the interval, from a metric of one drawn corpus after the other."""
    draw, rows = np.random.default_rng(9), np.array(prompts)
    drawn = [metric(rows[draw.integers(0, len(rows), len(rows))].sum(axis=0)) for _ in range(draws)]
    return float(np.std(drawn, ddof=1)), *map(float, np.quantile(drawn, [0.025, 0.975]))


def ends(estimate: Estimate) -> tuple[float, ...]:
    assert estimate.error is not None and estimate.low is not None and estimate.high is not None
    return estimate.error, estimate.low, estimate.high


def test_a_corpus_metric_is_of_the_sums_and_its_interval_that_of_scipys_bootstrap() -> None:
    rows = documents(4)
    surprise, tokens = np.array([parts for _, parts in rows]).T
    found = corpus(summed(rows), perplexity)
    wanted = stats.bootstrap(
        (surprise, tokens),
        lambda one, two, axis=-1: np.exp(one.sum(axis=axis) / two.sum(axis=axis)),
        paired=True,
        method="percentile",
        rng=np.random.default_rng(5),
    )
    assert found.value == pytest.approx(math.exp(surprise.sum() / tokens.sum()))
    assert found.error == pytest.approx(wanted.standard_error, rel=0.06)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval), rel=0.02)
    assert found.count == 50


@pytest.mark.parametrize("count", [2, 3, 50, 700])
def test_the_interval_is_that_of_corpora_that_are_added_up_row_by_row(count: int) -> None:
    rows = documents(11, count)
    found, wanted = ends(corpus(summed(rows), perplexity)), added_up([parts for _, parts in rows], perplexity)
    assert found == pytest.approx(wanted, rel=0.06)


@pytest.mark.parametrize("lacking", [0, 1], ids=["the same rows", "a row that one lacks"])
def test_the_interval_of_a_difference_is_that_of_corpora_that_are_added_up_row_by_row(lacking: int) -> None:
    old = documents(12, 200)
    new: list[Row] = [(prompt, (surprise + 9, tokens)) for prompt, (surprise, tokens) in old]
    found = corpus_difference(summed(new), summed(old[: len(old) - lacking]), perplexity)
    both = [(surprise + 9, tokens, surprise, tokens) for _, (surprise, tokens) in old]
    assert ends(found) == pytest.approx(added_up(both, lambda sums: perplexity(sums[:2]) - perplexity(sums[2:])), rel=0.06)
    assert (found.count, found.failed) == (200 - lacking, lacking)


def test_all_drawn_corpora_are_computed_at_once_and_are_of_the_same_prompts_for_all_models() -> None:
    asked: list[Numbers] = []

    def recorded(sums: Numbers) -> Any:
        asked.append(sums)
        return sums[0]

    first = summed((str(place), (float(2**place), 1.0)) for place in range(8))
    corpus(first, recorded)
    corpus(summed((str(place), (-float(2**place), 2.0)) for place in range(8)), recorded)
    assert [np.shape(sums) for sums in asked] == [(2,), (2, 2000)] * 2
    assert (asked[1][0] == -asked[3][0]).all() and len(set(asked[1][0])) > 100
    assert set(asked[1][1]) == {8.0}, "a drawn corpus has as many prompts as the real one"


def test_a_bootstrap_repeats_itself() -> None:
    assert corpus(summed(documents(6)), perplexity) == corpus(summed(documents(6)), perplexity)


def test_a_corpus_metric_of_a_mean_has_the_error_of_the_mean() -> None:
    draw = np.random.default_rng(7)
    # Rows of one prompt resemble each other.
    rows = [
        (str(prompt), float(level + draw.normal(scale=0.3)))
        for prompt, level in enumerate(draw.normal(size=40))
        for _ in range(draw.integers(1, 6))
    ]
    found = corpus(summed((prompt, (value, 1.0)) for prompt, value in rows), mean)
    wanted = clustered(rows)
    assert found.value == pytest.approx(wanted.value)
    assert found.error == pytest.approx(wanted.error, rel=0.05)


def test_a_prompt_of_which_a_row_failed_has_failed_with_all_its_rows() -> None:
    """First turns are graded better: 8 second turns that miss would lift the mean of the others."""
    grades = [(str(question), grade) for question in range(80) for grade in (8.0, None if question < 8 else 6.0)]
    rows = summed((prompt, None if grade is None else (grade, 1.0)) for prompt, grade in grades)
    found = corpus(rows, mean)
    assert (found.value, found.count, found.failed) == (7, 72, 8)
    found = corpus_difference(rows, summed((prompt, (6.0, 1.0)) for prompt, _ in grades), mean)
    assert (found.value, found.count, found.failed) == (1, 72, 8)


def test_two_models_are_compared_on_the_same_drawn_documents() -> None:
    old = dict(zip("abcdefghij" * 5, documents(8), strict=False))
    new: dict[str, Row] = {row: (prompt, (0.98 * surprise, tokens)) for row, (prompt, (surprise, tokens)) in old.items()}
    found = corpus_difference(Sums({**new, "only": ("x", (1.0, 1.0))}), Sums(old), perplexity)
    alone, before = corpus(Sums(new), perplexity), corpus(Sums(old), perplexity)
    assert found.value == pytest.approx((alone.value or 0) - (before.value or 0))
    assert found.high is not None
    assert found.high < 0
    assert alone.high is not None
    assert alone.high > (before.low or 0), "unpaired, the intervals of the two models overlap"
    assert (found.count, found.failed) == (10, 1)


def test_a_metric_that_no_number_holds_has_no_value_and_ends_nothing() -> None:
    rows: Rows = {str(place): (str(place), (500.0 * place, 1.0)) for place in range(4)}
    assert corpus(Sums(rows), perplexity) == Estimate(count=4)
    assert corpus_difference(Sums(rows), Sums(rows), perplexity) == Estimate(count=4)
    known = corpus(Sums({row: rows[row] for row in "012"}), perplexity)
    assert (known.value, known.error, known.low, known.high) == (pytest.approx(math.exp(500)), None, None, None), (
        "some draws have none"
    )


@pytest.mark.parametrize("rows", [[], [("a", (2.0, 1.0))]])
def test_too_few_documents_have_no_error(rows: list[Row]) -> None:
    found = corpus(summed(rows), perplexity)
    assert (found.error, found.low, found.high, found.count) == (None, None, None, len(rows))
