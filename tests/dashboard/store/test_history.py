"""Histories as arrays, and what is kept of long ones."""

import math

import numpy
import pytest
from alignment_dashboard.store.history import NO_POINTS, history_of, thin


def test_of_repeated_steps_the_value_logged_last_counts() -> None:
    history = history_of([(1, 0.9, 10), (2, 0.8, 20), (3, 0.7, 30), (2, 0.5, 40), (3, 0.4, 50)])
    assert history.steps.tolist() == [1, 2, 3]
    assert history.values.tolist() == [0.9, 0.5, 0.4]
    assert history.times.tolist() == [10, 40, 50]


def test_no_points() -> None:
    assert thin(NO_POINTS, 10) is NO_POINTS
    assert len(history_of([]).steps) == 0


@pytest.mark.parametrize("spike", [math.nan, math.inf, -7.0, 900.0])
def test_a_single_point_that_differs_is_kept_however_long_the_history(spike: float) -> None:
    points = [(step, spike if step == 12_345 else 1.0 + step / 1e6, step) for step in range(100_000)]
    kept = thin(history_of(points), 300)
    assert len(kept.steps) <= 1_201
    assert kept.steps[0] == 0 and kept.steps[-1] == 99_999
    assert bool((numpy.diff(kept.steps) > 0).all())
    found = kept.values[kept.steps == 12_345]
    assert numpy.array_equal(found, numpy.array([spike]), equal_nan=True)
