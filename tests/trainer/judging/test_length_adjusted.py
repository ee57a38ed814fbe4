"""A win rate at equal length: what lengths explain is taken out, and what the rows do not show is refused."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from alignment_api.results.evaluation import Estimate
from alignment_trainer.judging.length_adjusted import Compared, length_adjusted
from scipy.special import expit


def drawn(count: int, at_equal_length: float, by_length: float, longer: float = 0.0, seed: int = 1) -> tuple[list[float], ...]:
    """Draw outcomes whose chance is known, with their lengths."""
    draw = np.random.default_rng(seed)
    difference = draw.normal(longer, 100, count).round()
    chance = expit(at_equal_length + by_length * np.tanh(difference / difference.std()))
    outcomes = (draw.random(count) < chance).astype(float)
    return outcomes.tolist(), (1000 + difference).tolist(), [1000.0] * count


class Found(NamedTuple):
    value: float
    error: float
    low: float
    high: float


def compared(outcomes: Sequence[float], lengths: Sequence[float], others: Sequence[float]) -> list[Compared]:
    """Return comparisons, each of another prompt."""
    return [Compared(str(at), *row) for at, row in enumerate(zip(outcomes, lengths, others, strict=True))]


def adjusted(*rows: list[float], copies: int = 1) -> Found:
    found = length_adjusted(compared(*rows) * copies)
    assert isinstance(found, Estimate), found
    assert None not in (found.value, found.error, found.low, found.high)
    assert found.count == len(rows[0])
    return Found(found.value or 0, found.error or 0, found.low or 0, found.high or 0)


SITUATIONS = {
    # the logit at equal length, the effect of length, by how many signs the answers are longer
    "length counts nothing": (0.4, 0.0, 0.0),
    "the longer answer wins, and most are longer": (0.0, 2.0, 80.0),
    "the longer answer loses, and most are longer": (-0.3, -2.0, 80.0),
    "the longer answer wins, and most are shorter": (0.8, 1.5, -80.0),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_true_rate_is_found(situation: str) -> None:
    at_equal_length, by_length, longer = SITUATIONS[situation]
    found = adjusted(*drawn(5_000, at_equal_length, by_length, longer))
    assert abs(found.value - expit(at_equal_length)) < 3 * found.error < 0.06
    assert found.low < found.value < found.high


def test_without_an_effect_of_length_it_is_the_mean() -> None:
    """Both lengths win as often, so the shrunk effect is zero and the rate is that of all rows."""
    outcomes = [1.0, 1.0, 1.0, 0.0] * 10
    found = adjusted(outcomes * 2, [900.0] * 40 + [1100.0] * 40, [1000.0] * 80)
    assert found.value == pytest.approx(0.75, abs=1e-9)
    # The sandwich of a mean is its usual error with the divisor n.
    assert found.error == pytest.approx(np.std(outcomes * 2) / 80**0.5, rel=1e-6)


def test_copies_of_all_rows_change_nothing() -> None:
    """Otherwise an error shrinks by being counted twice."""
    rows = [1.0, 1.0, 1.0, 0.0] * 20, [900.0] * 40 + [1100.0] * 40, [1000.0] * 80
    assert adjusted(*rows, copies=3) == pytest.approx(adjusted(*rows))


@pytest.mark.parametrize("copies", [1, 4])
def test_the_error_is_that_of_many_drawings(copies: int) -> None:
    """The error of one set of rows is how much the estimate differs from set to set, whatever the rows of a prompt."""
    found = [adjusted(*drawn(300, 0.2, 1.0, 40, seed), copies=copies) for seed in range(80)]
    assert np.std([one.value for one in found]) == pytest.approx(np.mean([one.error for one in found]), rel=0.25)


def test_swapping_the_sides_gives_the_rest() -> None:
    outcomes, lengths, others = drawn(400, 0.5, 1.0, 50)
    there, back = adjusted(outcomes, lengths, others), adjusted([1 - one for one in outcomes], others, lengths)
    assert there.value == pytest.approx(1 - back.value, abs=1e-6)
    assert there.error == pytest.approx(back.error, rel=1e-4)


def test_one_length_that_always_wins_has_a_finite_effect() -> None:
    outcomes, lengths = [1.0] * 30 + [0.0] * 30, [1100.0] * 30 + [900.0] * 30
    assert adjusted(outcomes, lengths, [1000.0] * 60).value == pytest.approx(0.5, abs=1e-6)


REFUSED = {
    "few rows": ([1.0, 0.0] * 5, [9, 11] * 5, "answers to 10 prompts are compared"),
    "hardly any longer": ([1.0, 0.0] * 50, [9] * 91 + [11] * 9, "9 % of the answers are longer .* 91 % shorter"),
    "hardly any shorter": ([1.0, 0.0] * 50, [11] * 91 + [9] * 9, "91 % of the answers are longer .* 9 % shorter"),
    "all equal": ([1.0, 0.0] * 50, [10] * 100, "0 % of the answers are longer .* 0 % shorter"),
    "always won": ([1.0] * 100, [9, 11] * 50, "the same outcome"),
}


@pytest.mark.parametrize("situation", REFUSED)
def test_what_the_rows_do_not_show_is_refused(situation: str) -> None:
    outcomes, lengths, reason = REFUSED[situation]
    found = length_adjusted(compared(outcomes, lengths, [10] * len(lengths)))
    assert isinstance(found, str)
    assert re.search(reason, found)
