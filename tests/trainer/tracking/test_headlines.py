"""Which values of a stage the run of the whole job shows."""

import math

import pytest
from alignment_api import metrics
from alignment_api.journal import Point
from alignment_trainer.tracking.headlines import Headlines

EVALUATION, LOSS = metrics.EVALUATION_LOSS, metrics.LOSS
BEST, LATEST = "dpo/best/eval/loss", "dpo/eval/loss"
ACCURACY = metrics.EVALUATION_REWARD_ACCURACY


def shown(*measured):
    """Return the value and the step of each headline, after points of a metric, a step and a value."""
    headlines = Headlines("dpo")
    for time, (metric, step, value) in enumerate(measured):
        for _ in range(2):
            headlines.add(Point(time, step, {metric: value}))
    return {found.name: (found.value, found.step) for found in headlines.values()}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], {}),
        ([(metrics.GRADIENT_NORM, 1, 2.0)], {}),
        ([(LOSS, 1, 0.7), (LOSS, 2, 0.6)], {"dpo/train/loss": (0.6, 2)}),
        ([(EVALUATION, 8, 0.6)], {LATEST: (0.6, 8), BEST: (0.6, 8)}),
        ([(EVALUATION, 8, 0.5), (EVALUATION, 16, 0.6)], {LATEST: (0.6, 16), BEST: (0.5, 8)}),
        ([(EVALUATION, 8, 0.5), (EVALUATION, 16, 0.5)], {LATEST: (0.5, 16), BEST: (0.5, 8)}),
        ([(ACCURACY, 8, 0.8), (ACCURACY, 16, 0.7)], {f"dpo/{ACCURACY}": (0.7, 16), f"dpo/best/{ACCURACY}": (0.8, 8)}),
        # Before the first step policy and reference are equal.
        ([(ACCURACY, 0, 0.9)], {f"dpo/{ACCURACY}": (0.9, 0)}),
        ([(ACCURACY, 0, 0.9), (ACCURACY, 8, 0.8)], {f"dpo/{ACCURACY}": (0.8, 8), f"dpo/best/{ACCURACY}": (0.8, 8)}),
        # Scores of models: a stage measures each once.
        ([("evaluated/arc/accuracy/sft", 80, 0.4)], {"dpo/evaluated/arc/accuracy/sft": (0.4, 80)}),
        ([("export/divergence", 1, 0.1)], {"dpo/export/divergence": (0.1, 1)}),
        # A step that an attempt trains again has its first value; what another writes later of an earlier step is not the latest.
        ([(LOSS, 9, 0.5), (LOSS, 7, 0.6)], {"dpo/train/loss": (0.5, 9)}),
    ],
)
def test_headlines(points, expected):
    assert shown(*points) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_the_best(value):
    assert BEST not in shown((EVALUATION, 8, value))
    for points in ([(EVALUATION, 8, 0.5), (EVALUATION, 16, value)], [(EVALUATION, 4, value), (EVALUATION, 8, 0.5)]):
        assert shown(*points)[BEST] == (0.5, 8)
    diverged, _ = shown((EVALUATION, 8, 0.5), (EVALUATION, 16, value))[LATEST]
    assert not math.isfinite(diverged)
