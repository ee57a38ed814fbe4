"""Which points of a curve are outliers: spikes are, noise and steps are not."""

import math

import numpy
import pytest
from alignment_dashboard.facts.outliers import outliers
from drawn_histories import noise


def spiked(values: list[float], **odd: float) -> list[float]:
    return [odd.get(f"at_{step}", value) for step, value in enumerate(values, 1)]


FALLING = [0.4 + 2 * math.exp(-step / 30) + spread for step, spread in enumerate(noise(600, 0.0))]


@pytest.mark.parametrize(
    ("situation", "values", "steps"),
    [
        ("a spike of one step", spiked(noise(500), at_200=50.0), [200]),
        ("a spike downwards", spiked(noise(500), at_200=-3.0), [200]),
        ("a spike of three steps", spiked(noise(500), at_200=9.0, at_201=12.0, at_202=8.0), [200, 201, 202]),
        ("the first and the last step, which have one side only", spiked(noise(500), at_1=50.0, at_500=50.0), []),
        ("a steep curve without noise", [100 * 0.8**step for step in range(100)], []),
        ("a steep start, as of warming up", [min(step, 20.0) for step in range(100)], []),
        ("a round peak", [10 * math.exp(-(((step - 50) / 6) ** 2)) for step in range(100)], []),
        ("a spike of one step in a steep curve", spiked([100 * 0.9**step for step in range(60)], at_20=90.0), [20]),
        ("in a flat line", spiked([1.0] * 100, at_40=1.5), [40]),
        ("noise alone", noise(5_000), []),
        ("a curve that falls fast", FALLING, []),
        ("a step up that stays", noise(200) + noise(200, 4.0), []),
        ("a flat line", [1.0] * 100, []),
        ("tiny differences in a flat line", [1.0 + 1e-9 * (step % 7 == 0) for step in range(100)], []),
        ("NaN is no outlier but a gap", spiked(noise(100), at_50=math.nan), []),
        ("too few points to know", [1.0, 9.0, 1.0], []),
    ],
)
def test_outliers(situation: str, values: list[float], steps: list[int]) -> None:
    assert (numpy.flatnonzero(outliers(numpy.array(values))) + 1).tolist() == steps, situation
