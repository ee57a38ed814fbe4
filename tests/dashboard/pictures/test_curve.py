"""Smoothing against its definition, windows, gaps and thinning."""

import math

import numpy
import pytest
from alignment_dashboard.pictures.curve import curve_of, points_at, smooth, thin_x
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.scale import STEPS, time_scale
from drawn_histories import a_history, noise


def by_definition(values: list[float], weight: float) -> list[float]:
    """Average as TensorBoard does: s = weight·s + (1 − weight)·value, divided by 1 − weight^n."""
    total, count, averaged = 0.0, 0, []
    for value in values:
        if math.isfinite(value):
            total, count = weight * total + (1 - weight) * value, count + 1
        averaged.append(total / (1 - weight**count) if count else math.nan)
    return averaged


@pytest.mark.parametrize("weight", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("values", [noise(200), [5.0], [1.0, math.nan, 2.0, math.inf, 3.0], [math.nan, 4.0]])
def test_smoothing_follows_its_definition(values: list[float], weight: float) -> None:
    assert smooth(numpy.array(values), weight) == pytest.approx(by_definition(values, weight), nan_ok=True)


def test_no_smoothing_changes_nothing() -> None:
    values = noise(50)
    assert smooth(numpy.array(values), 0.0) == pytest.approx(values)


def spiked(values: list[float], **odd: float) -> list[float]:
    return [odd.get(f"at_{step}", value) for step, value in enumerate(values, 1)]


def test_a_spike_does_not_bend_the_smoothed_line() -> None:
    plain, odd = (a_history(values) for values in (noise(300), spiked(noise(300), at_100=50.0)))
    lines = [curve_of(history, Display(smoothing=0.9), STEPS, 0).smoothed for history in (plain, odd)]
    assert float(numpy.abs(lines[0] - lines[1]).max()) < 0.02


def test_a_gap_of_the_measured_line_is_one_of_the_smoothed_line() -> None:
    curve = curve_of(a_history([1.0, math.nan, 1.0]), Display(smoothing=0.9), STEPS, 0)
    assert numpy.isnan(curve.smoothed).tolist() == [False, True, False]


def test_the_x_axis_counts_steps_or_time_since_the_first_point() -> None:
    history = a_history([1.0, 1.0, 1.0], start=1_000_000)
    assert curve_of(history, Display(), STEPS, 0).x.tolist() == [1, 2, 3]
    minutes = time_scale(600)
    assert minutes.name == "minutes"
    assert curve_of(history, Display(), minutes, 1_002_000).x == pytest.approx([0, 2 / 60, 4 / 60])


@pytest.mark.parametrize(
    ("seconds", "name"), [(0, "seconds"), (119, "seconds"), (120, "minutes"), (7_200, "hours"), (2e5, "days")]
)
def test_the_unit_of_time_suits_the_longest_run(seconds: float, name: str) -> None:
    assert time_scale(seconds).name == name


def test_a_window_keeps_what_smoothing_and_outliers_know_of_the_rest() -> None:
    history = a_history(noise(300))
    whole = curve_of(history, Display(), STEPS, 0)
    part = curve_of(history, Display(window=(100, 120)), STEPS, 0)
    assert part.x.tolist() == list(range(100, 121))
    assert part.smoothed.tolist() == whole.smoothed[99:120].tolist()


def test_extremes_and_gaps_survive_thinning() -> None:
    values = spiked(noise(20_000), at_12345=40.0, at_15000=math.nan)
    curve = curve_of(a_history(values), Display(), STEPS, 0)
    drawn = points_at(curve.x, curve.values, thin_x(curve, 100), between=False)
    assert [12_345.0, 40.0] in drawn and [15_000.0, None] in drawn
    assert len(drawn) < 500


@pytest.mark.parametrize(
    ("between", "points"),
    [
        (False, [[2.0, 20.0], [4.0, 40.0]]),
        (True, [[2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]),
    ],
)
def test_points_at_places(between: bool, points: list[list[float]]) -> None:
    x, values = numpy.array([2.0, 4.0]), numpy.array([20.0, 40.0])
    assert points_at(x, values, numpy.array([1.0, 2.0, 3.0, 4.0, 5.0]), between) == points
