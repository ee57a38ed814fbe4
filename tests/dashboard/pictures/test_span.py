"""Ranges of the y axis: spikes leave the panel only where they would flatten the rest."""

import math

import numpy
import pytest
from alignment_dashboard.pictures.curve import Curve, curve_of
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.panels import Mark
from alignment_dashboard.pictures.scale import STEPS
from alignment_dashboard.pictures.span import Span, logarithmic, round_numbers, span_of
from drawn_histories import a_history, noise


def a_curve(values: list[float]) -> Curve:
    return curve_of(a_history(values), Display(), STEPS, 0)


def with_spike(values: list[float], step: int, value: float) -> list[float]:
    return [value if index == step else known for index, known in enumerate(values)]


FALLING = [0.3 + 0.4 * math.exp(-step / 300) + spread for step, spread in enumerate(noise(1_500, 0.0, 0.02))]
STEEP = [2.0 + 9 * math.exp(-step / 8) + spread for step, spread in enumerate(noise(1_500, 0.0, 0.1))]
DIVERGING = [*FALLING, *(0.4 * 2.0**power for power in range(15))]


@pytest.mark.parametrize("factor", [2, 5, 50, 1e6, 1e30])
@pytest.mark.parametrize("values", [FALLING, STEEP, noise(300), [1.0] * 300])
@pytest.mark.parametrize("mark", [None, Mark(math.log(2), "ln 2"), Mark(1.05, "near")])
def test_beside_a_spike_the_rest_keeps_a_third_of_the_panel(values: list[float], factor: float, mark: Mark | None) -> None:
    span = span_of([a_curve(with_spike(values, 200, factor * max(values)))], clip=False, mark=mark)
    low, high = numpy.percentile(values, [2, 98])
    assert span.low <= low and span.high >= high
    assert high - low >= 0.3 * (span.high - span.low) or high == low


@pytest.mark.parametrize(
    ("situation", "values", "inside"),
    [
        ("all points of a usual curve", FALLING, FALLING),
        ("a start far above the rest, as far as possible", STEEP, [2.6, 1.9]),
        ("a small spike", with_spike(FALLING, 700, 0.8), [0.8]),
        ("the curve before it diverged", DIVERGING, FALLING),
        ("a lone point", [3.0], [3.0]),
        ("a flat line", [3.0] * 50, [3.0]),
        ("a flat line at 0", [0.0] * 50, [0.0]),
        ("what is finite", [1.0, math.nan, 2.0, math.inf, -math.inf], [1.0, 2.0]),
    ],
)
def test_what_a_range_holds(situation: str, values: list[float], inside: list[float]) -> None:
    span = span_of([a_curve(values)], clip=False)
    assert all(span.holds(value) for value in inside), (situation, span)


@pytest.mark.parametrize(
    ("values", "outside"),
    [
        (with_spike(FALLING, 200, 50.0), 50.0),
        (with_spike(FALLING, 200, -50.0), -50.0),
        (DIVERGING, 0.4 * 2**14),
        (with_spike([1.0] * 100, 50, 50.0), 50.0),
    ],
)
def test_what_a_range_leaves_out(values: list[float], outside: float) -> None:
    assert not span_of([a_curve(values)], clip=False).holds(outside)


def test_a_clipped_range_is_that_of_the_middle() -> None:
    values = [*noise(1_000), 1.25, 1.2]
    clipped, whole = (span_of([a_curve(values)], clip=clip) for clip in (True, False))
    assert clipped.high < 1.2 and whole.holds(1.25)


def test_a_mark_is_shown_if_it_is_near() -> None:
    assert span_of([a_curve([1.0, 2.0])], clip=False, mark=Mark(2.1, "")).holds(2.1)
    assert not span_of([a_curve([1.0, 2.0])], clip=False, mark=Mark(9.0, "")).holds(9.0)


@pytest.mark.parametrize("curves", [[], [a_curve([])], [a_curve([math.nan])]])
def test_without_points_the_range_is_any(curves: list[Curve]) -> None:
    assert span_of(curves, clip=False) == Span(0, 1)


def test_a_logarithmic_axis_holds_a_spike_and_refuses_zero() -> None:
    span = logarithmic([a_curve(with_spike(FALLING, 200, 35.0))], clip=False)
    assert span is not None and span.holds(35.0) and span.holds(min(FALLING))
    assert logarithmic([a_curve([1.0, 0.0])], clip=False) is None


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (0.01, 60, [0.01, 0.1, 1, 10]),
        (0.9, 12, [1, 2, 5, 10]),
        (0.12, 0.8, [0.2, 0.5]),
        (3e-6, 8e-6, [5e-6]),
    ],
)
def test_a_logarithmic_axis_is_written_in_round_numbers(low: float, high: float, numbers: list[float]) -> None:
    assert round_numbers(Span(low, high)) == numbers


def test_values_without_two_round_numbers_have_no_logarithmic_axis() -> None:
    assert logarithmic([a_curve([0.25, 0.4])], clip=False) is None
    assert logarithmic([a_curve([0.15, 0.6])], clip=False) is not None
