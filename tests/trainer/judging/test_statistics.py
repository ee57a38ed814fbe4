"""Means, errors, intervals and differences against values by hand, scipy and a bootstrap that shares no code with ours."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from alignment_api.results.evaluation import Estimate
from alignment_trainer.judging.statistics import (
    clustered,
    clustered_difference,
    exceeds,
    mean,
    paired_difference,
    win_rate,
)
from scipy import stats


def near(estimate: Estimate, value: float, error: float, count: int, failed: int) -> bool:
    assert estimate.value is not None
    assert estimate.error is not None
    same = math.isclose(estimate.value, value, rel_tol=1e-12) and math.isclose(
        estimate.error, error, rel_tol=1e-12, abs_tol=1e-15
    )
    return same and (estimate.count, estimate.failed) == (count, failed)


def answers(seed: int, prompts: int = 40, most_rows: int = 5) -> list[tuple[str, float]]:
    """Draw rows of which those of one prompt resemble each other."""
    draw = np.random.default_rng(seed)
    return [
        (str(prompt), float(level + draw.normal(scale=0.3)))
        for prompt, level in enumerate(draw.normal(size=prompts))
        for _ in range(draw.integers(1, most_rows + 1))
    ]


def drawn_again(rows: list[tuple[str, float]], statistic: Callable[[list[float]], float], draws: int = 4000) -> list[float]:
    """Return a statistic of rows whose prompts were drawn again, each with all its rows: a bootstrap in plain Python."""
    draw = np.random.default_rng(9)
    prompts = sorted({prompt for prompt, _ in rows})
    of_prompt = {prompt: [value for of, value in rows if of == prompt] for prompt in prompts}
    return [
        statistic([value for prompt in draw.choice(prompts, len(prompts)) for value in of_prompt[str(prompt)]])
        for _ in range(draws)
    ]


def test_a_mean_with_its_error() -> None:
    # deviations -1.5, -.5, .5, 1.5: variance 5/3
    assert near(mean([1, 2, 3, 4]), 2.5, math.sqrt(5 / 3) / 2, 4, 0)


def test_a_missing_value_is_counted_and_changes_no_mean() -> None:
    assert near(mean([1, None, 2, 3, None, 4]), 2.5, math.sqrt(5 / 3) / 2, 4, 2)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([], Estimate(count=0)), ([None], Estimate(count=0, failed=1)), ([3], Estimate(value=3, count=1))],
)
def test_too_few_values_have_no_error(values: list[float | None], wanted: Estimate) -> None:
    assert mean(values) == wanted


def test_a_tie_is_half_a_win() -> None:
    # mean 5/8; squared deviations 9/64 * 2 + 1/64 + 25/64 = 44/64 over 3
    assert near(win_rate([1, 1, 0.5, 0]), 0.625, math.sqrt(44 / 64 / 3 / 4), 4, 0)


def test_the_convention_of_alpaca_eval() -> None:
    """A preference is 1 to 2 for the second answer; 0 is a tie, and a row without one is no row."""
    rows = [2.0, 1.0, 0.0, None, 1.5, 2.0, 1.25]
    outcomes = [None if row is None else 0.5 if row == 0 else row - 1 for row in rows]
    # 1, 0, .5, .5, 1, .25: mean 13/24, squares sum to 2.5625
    variance = (2.5625 - 6 * (13 / 24) ** 2) / 5
    assert near(win_rate(outcomes), 13 / 24, math.sqrt(variance / 6), 6, 1)


def test_a_difference_is_paired_by_question() -> None:
    """Both models vary much more than their difference."""
    new, old = {"a": 9, "b": 2, "c": 6, "only new": 1}, {"b": 1, "a": 8, "c": 4}
    # differences 1, 1, 2: mean 4/3, variance 1/3
    assert near(paired_difference(new, old), 4 / 3, 1 / 3, 3, 1)


def test_rows_of_one_prompt_are_one_observation() -> None:
    # mean 2; the sums of deviations by prompt are -1, -1, 2: error sqrt(3/2 * 6) / 5
    rows = [("a", 1.0), ("b", 2.0), ("b", 1.0), ("c", 3.0), ("c", 3.0), ("d", None)]
    assert near(clustered(rows), 2, math.sqrt(9) / 5, 3, 1)


def test_a_prompt_of_which_a_row_failed_has_failed_with_all_its_rows() -> None:
    """First turns are graded better: 8 second turns that miss would lift the mean of the others."""
    rows = [(str(question), grade) for question in range(80) for grade in (8.0, None if question < 8 else 6.0)]
    assert near(clustered(rows), 7, 0, 72, 8)


def test_copies_of_all_rows_change_nothing() -> None:
    """Otherwise an error shrinks by being counted twice."""
    rows = [(str(prompt), value) for prompt, value in enumerate((0.1, 0.5, 0.4, 0.9))]
    assert clustered(rows * 3).model_dump() == pytest.approx(clustered(rows).model_dump())


def test_the_error_of_clustered_rows_is_that_of_a_bootstrap_over_prompts() -> None:
    rows = answers(1)
    found, naive = clustered(rows), stats.sem([value for _, value in rows])
    assert found.error == pytest.approx(np.std(drawn_again(rows, lambda values: float(np.mean(values)))), rel=0.05)
    assert found.error is not None
    assert found.error > 1.4 * naive


def test_the_interval_is_students() -> None:
    values = [0.3, 0.9, 0.4, 0.35, 0.7, 0.1]
    found, wanted = mean(values), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize(
    ("right", "low", "high"),
    # from Wilson's formula by hand, z = 1.959964
    [(20, 0.838875, 1), (0, 0, 0.161125), (10, 0.299298, 0.700702)],
)
def test_the_interval_of_a_share_has_a_width_where_all_rows_are_right(right: int, low: float, high: float) -> None:
    found = mean([1] * right + [0] * (20 - right))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_a_mean_that_is_no_share_has_students_interval_even_if_all_values_are_0_or_1() -> None:
    values = [0.0] * 99 + [1.0]
    found, wanted = clustered(enumerated(values), is_share=False), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def enumerated(values: list[float]) -> list[tuple[str, float]]:
    return [(str(place), value) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("better", "worse", "is_beyond"),
    # By hand from Agresti and Min's formula; the exact test of McNemar gives 1, 1, 1, 0.125, 0.03, 0.2 and 0.04.
    [(0, 0, False), (1, 0, False), (0, 1, False), (4, 0, False), (6, 0, True), (12, 6, False), (15, 5, True)],
)
def test_right_answers_of_two_models_differ_beyond_chance_only_if_their_counts_do(
    better: int, worse: int, is_beyond: bool
) -> None:
    new = {str(row): float(row < better) for row in range(100)}
    old = {str(row): float(better <= row < better + worse) for row in range(100)}
    found, turned = paired_difference(new, old), paired_difference(old, new)
    assert found.value == pytest.approx((better - worse) / 100)
    assert None not in (found.low, found.high, turned.low, turned.high)
    assert (-(turned.high or 0), -(turned.low or 0)) == pytest.approx((found.low, found.high))
    assert (found.low or 0) < (found.value or 0) < (found.high or 0)
    assert ((found.low or 0) > 0 or (found.high or 0) < 0) == is_beyond


@pytest.mark.parametrize("differing", [0.02, 0.1, 0.5])
def test_of_many_models_that_are_equally_good_about_one_of_twenty_looks_different(differing: float) -> None:
    draw = np.random.default_rng(3)
    beyond = 0
    for _ in range(300):
        differs, first = draw.random(100) < differing, draw.random(100) < 0.5
        new = dict(enumerated((differs & first).astype(float).tolist()))
        old = dict(enumerated((differs & ~first).astype(float).tolist()))
        found = paired_difference(new, old)
        beyond += (found.low or 0) > 0 or (found.high or 0) < 0
    assert beyond < 27


def test_a_paired_interval_is_that_of_scipy_and_narrower_than_an_unpaired_one() -> None:
    draw = np.random.default_rng(2)
    level = draw.normal(size=60)
    new, old = level + draw.normal(scale=0.2, size=60) + 0.1, level + draw.normal(scale=0.2, size=60)
    found = paired_difference(dict(zip(map(str, range(60)), new, strict=True)), dict(zip(map(str, range(60)), old, strict=True)))
    wanted = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.error is not None
    assert found.error < 0.3 * math.hypot(stats.sem(new), stats.sem(old))


def test_a_clustered_difference_joins_rows_and_draws_prompts() -> None:
    old = {str(row): of for row, of in enumerate(answers(3))}
    new = {row: (prompt, value + int(prompt) / 40 - 0.3) for row, (prompt, value) in old.items()}
    both = [(prompt, value - old[row][1]) for row, (prompt, value) in new.items()]
    found = clustered_difference(new, old)
    low, high = np.quantile(drawn_again(both, lambda values: float(np.mean(values))), (0.025, 0.975))
    assert found.value == pytest.approx(np.mean([value for _, value in both]))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_rows_that_one_model_lacks_are_no_part_of_a_difference() -> None:
    new = {"1": ("a", 3.0), "2": ("b", 1.0), "3": ("c", 9.0), "4": ("d", None)}
    old = {"1": ("a", 1.0), "2": ("b", 1.0), "4": ("d", 2.0), "5": ("e", 2.0)}
    # differences 2 and 0; c, d and e have none
    assert near(clustered_difference(new, old), 1, 1, 2, 3)


@pytest.mark.parametrize(
    ("value", "error", "wanted"), [(0.3, 0.1, True), (0.1, 0.1, False), (-0.3, 0.1, False), (1, None, False), (None, None, False)]
)
def test_a_gain_within_its_error_is_none(value: float | None, error: float | None, wanted: bool) -> None:
    assert exceeds(Estimate(value=value, error=error, count=9)) is wanted


@pytest.mark.parametrize(
    ("rows", "within"),
    [
        ([("a", 1.0), ("a", 1.0), ("b", 1.0), ("c", 1.0)], (0.43, 1.0)),
        ([("a", 1.0), ("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 1.0), ("e", 0.0), ("f", 0.0), ("g", 0.0)], (0.0, 0.7)),
        ([("a", 0.5), ("b", 0.0), ("c", 0.0)], (0.0, 1.0)),
    ],
    ids=["all are right", "a prompt twice", "ties count half"],
)
def test_the_interval_of_a_share_has_a_width_and_stays_within_0_and_1(
    rows: list[tuple[str, float]], within: tuple[float, float]
) -> None:
    found = clustered(rows)
    assert found.low is not None and found.high is not None and found.value is not None
    assert within[0] <= found.low < found.value + 1e-9 and found.value - 1e-9 < found.high <= within[1] + 1e-9
    assert found.high - found.low > 0.1
