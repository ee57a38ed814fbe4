"""Means per token, against sums by hand and a bootstrap over rows."""

import math

import numpy as np
import pytest
from alignment_trainer.exporting.proving.ratios import per_token, perplexity

SUMS, TOKENS = [4.0, 1.0, 9.0], [2, 1, 3]


def test_the_mean_is_that_of_all_tokens_not_of_rows():
    found = per_token(SUMS, TOKENS)
    assert found.value == pytest.approx(14 / 6)
    assert found.count == 3


def test_a_perplexity_is_the_exponential_of_the_mean_loss():
    found = perplexity(SUMS, TOKENS)
    assert found.value == pytest.approx(math.exp(14 / 6))
    assert found.low < found.value < found.high


def test_the_error_is_that_of_a_bootstrap_over_rows():
    draw = np.random.default_rng(0)
    tokens = draw.integers(1, 60, 400)
    sums = tokens * draw.normal(2, 0.5, 400) + draw.normal(0, 3, 400)
    rows = draw.integers(0, 400, (4000, 400))
    drawn = sums[rows].sum(1) / tokens[rows].sum(1)
    assert per_token(list(sums), list(map(int, tokens))).error == pytest.approx(drawn.std(), rel=0.05)


@pytest.mark.parametrize(("sums", "tokens", "value"), [([], [], None), ([3.0], [2], 1.5)], ids=["nothing", "one row"])
def test_without_two_rows_there_is_no_error(sums, tokens, value):
    found = per_token(sums, tokens)
    assert (found.value, found.error) == (value, None)


def test_a_perplexity_that_is_too_large_for_a_number_has_no_value():
    assert perplexity([9000.0, 8000.0], [10, 10]).value is None
