"""Means, standard errors and differences against values that were computed by hand."""

import math

import pytest
from alignment_trainer.judging.statistics import Estimate, by_question, mean, paired_difference, win_rate


def near(estimate: Estimate, value: float, error: float, count: int, left_out: int) -> bool:
    assert estimate.value is not None
    assert estimate.error is not None
    same = math.isclose(estimate.value, value, rel_tol=1e-12) and math.isclose(
        estimate.error, error, rel_tol=1e-12, abs_tol=1e-15
    )
    return same and (estimate.count, estimate.left_out) == (count, left_out)


def test_a_mean_with_its_error() -> None:
    # deviations -1.5, -.5, .5, 1.5: variance 5/3
    assert near(mean([1, 2, 3, 4]), 2.5, math.sqrt(5 / 3) / 2, 4, 0)


def test_a_missing_value_is_counted_and_changes_no_mean() -> None:
    assert near(mean([1, None, 2, 3, None, 4]), 2.5, math.sqrt(5 / 3) / 2, 4, 2)


@pytest.mark.parametrize(
    ("values", "wanted"), [([], Estimate(None, None, 0)), ([None], Estimate(None, None, 0, 1)), ([3], Estimate(3, None, 1))]
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


def test_rows_of_one_question_are_one_value() -> None:
    assert by_question([("a", 1), ("a", 0), ("b", 1), ("c", None), ("b", None)]) == {"a": 0.5, "b": 1}


@pytest.mark.parametrize(
    ("estimate", "exceeds"),
    [
        (Estimate(0.3, 0.1, 9), True),
        (Estimate(0.1, 0.1, 9), False),
        (Estimate(-0.3, 0.1, 9), False),
        (Estimate(1, None, 1), False),
    ],
)
def test_a_gain_within_its_error_is_none(estimate: Estimate, exceeds: bool) -> None:
    assert estimate.exceeds() is exceeds
