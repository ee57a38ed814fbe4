"""How scores are written: as many digits as their error leaves a meaning."""

import pytest
from alignment_api.results.evaluation import Estimate
from alignment_api.results.written import write_bytes, write_count, write_difference, write_estimate, write_number, write_share


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.41234, 0.01432, "0.412 ± 0.014"),
        (0.41234, 0.1432, "0.41 ± 0.14"),
        (31.256, 0.831, "31.26 ± 0.83"),
        (1234.5, 12.0, "1,234 ± 12"),
        (1.0, 0.0, "1 ± 0"),
        (0.41234, None, "0.4123"),
        (1.2e-5, None, "1.2e-5"),
        (-0.25, 0.1, "−0.25 ± 0.10"),
        (None, None, "–"),
    ],
)
def test_an_estimate(value: float | None, error: float | None, text: str) -> None:
    assert write_estimate(Estimate(value=value, error=error, count=1)) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.031, 0.010, 0.052, "+0.031 [+0.010, +0.052]"),
        (-0.5, -1.25, 0.25, "−0.50 [−1.25, +0.25]"),
        (0.0, 0.0, 0.0, "+0.0 [+0.0, +0.0]"),
        (0.031, None, None, "+0.031"),
        (None, None, None, "–"),
    ],
)
def test_a_difference(value: float | None, low: float | None, high: float | None, text: str) -> None:
    assert write_difference(Estimate(value=value, low=low, high=high, count=1)) == text


def test_counts_shares_sizes_and_numbers() -> None:
    assert write_count(Estimate(count=1172)) == "1,172 prompts"
    assert write_count(Estimate(count=1, failed=12)) == "1 prompt, 12 failed"
    assert (write_share(0.814), write_share(None)) == ("81 %", "–")
    assert [write_bytes(size) for size in (0, 999, 2_778_000, 14_500_000_000)] == ["0 B", "999 B", "2.78 MB", "14.5 GB"]
    assert [write_number(value) for value in (None, float("nan"), 12345.6, 3.0)] == ["–", "–", "1.235e4", "3"]
