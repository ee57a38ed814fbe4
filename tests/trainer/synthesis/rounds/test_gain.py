"""When further rounds train on noise, and which round is the best."""

import pytest
from alignment_trainer.synthesis.rounds import gain


def outcomes(*values):
    return {str(question): value for question, value in enumerate(values)}


@pytest.mark.parametrize(
    ("rounds", "is_without"),
    [
        pytest.param([outcomes(1, 1, 0.5, 1)], False, id="the first round wins clearly"),
        pytest.param([outcomes(1, 0, 0.5, 0.5)], True, id="the first round wins as often as it loses"),
        pytest.param([outcomes(0.5, 0.5)], True, id="nothing changed"),
        pytest.param([outcomes(1, 0.5, 0.5, 0.5)], True, id="one win of four is within the error"),
        pytest.param([outcomes(0, 0, 0)], True, id="a loss"),
        pytest.param([outcomes(0.5, 0.5, 1, 0), outcomes(1, 1, 1, 0.5)], False, id="a gain on nearly every question"),
        # Unpaired, 0.6 ± 0.24 and 0.4 ± 0.24 could not be told apart.
        pytest.param([outcomes(0, 0, 0, 1, 1), outcomes(0.2, 0.2, 0.2, 1, 1)], False, id="small gains, always on the same side"),
        pytest.param([outcomes(0, 1, 0, 1, 0), outcomes(1, 0, 1, 0, 1)], True, id="a higher mean by chance"),
        pytest.param([outcomes(1, 1, 1), outcomes(1, 1, 1)], True, id="a good round after which nothing changes"),
        pytest.param([outcomes(1), outcomes(1)], True, id="one question has no error"),
    ],
)
def test_a_gain_must_exceed_the_error_of_the_differences_on_the_same_questions(rounds, is_without):
    assert gain.is_without_gain(rounds) == is_without


def test_questions_that_only_one_round_has_are_not_compared():
    found = gain.gain([{"a": 0.0, "b": 0.5, "c": 1.0}, {"a": 1.0, "b": 1.0, "d": 0.0}])
    assert (found.value, found.count, found.failed) == (0.75, 2, 2)


@pytest.mark.parametrize(("rates", "best"), [([0.4], 1), ([0.5, 0.7, 0.6], 2), ([0.7, 0.7], 1), ([0.1, 0.2, 0.3], 3)])
def test_the_best_round_is_the_earliest_with_the_highest_win_rate(rates, best):
    assert gain.best_round([outcomes(rate, rate) for rate in rates]) == best
