"""Thinning a history out keeps its spikes, its NaN and its ends."""

import math
import random

import pytest
from alignment_dashboard.data.history import Point, not_finite, thin


def line(length: int, **odd: float) -> list[Point]:
    """Make a flat history with some other values, by step."""
    return [Point(step, odd.get(f"at_{step}", 1.0)) for step in range(length)]


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_short_history_stays_as_it_is(length: int) -> None:
    assert thin(line(length), buckets=10) == line(length)


@pytest.mark.parametrize("step", [0, 1, 4_999, 5_000, 9_998, 9_999])
@pytest.mark.parametrize("value", [50.0, -50.0])
def test_a_spike_of_one_step_is_kept(step: int, value: float) -> None:
    assert Point(step, value) in thin(line(10_000, **{f"at_{step}": value}), buckets=100)


def test_a_nan_is_kept() -> None:
    assert [point.step for point in not_finite(thin(line(10_000, at_777=math.nan), buckets=100))] == [777]


def test_lowest_and_highest_of_every_bucket_and_both_ends_are_kept_in_order() -> None:
    draws = random.Random(7)
    history = [Point(3 * step, draws.gauss(0, 1)) for step in range(5_000)]
    kept = thin(history, buckets=50)
    values = {point.value for point in kept}
    for start in range(0, 5_000, 100):
        bucket = [point.value for point in history[start : start + 100]]
        assert {min(bucket), max(bucket)} <= values
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    assert (kept[0], kept[-1]) == (history[0], history[-1])
    assert len(kept) <= 4 * 50
