"""What the checks notice in curves, and the noise that they must not mistake for it."""

import math
from collections.abc import Sequence

import numpy
import pytest
from alignment_api.metrics import (
    EVALUATION_LOSS,
    EVALUATION_PAIRS,
    EVALUATION_REWARD_ACCURACY,
    GRADIENT_NORM,
    LOSS,
    REWARD_CHOSEN,
    REWARD_MARGIN,
    TOKENS_PER_SECOND,
    TOTAL_STEPS,
)
from alignment_dashboard.facts.one_run.checks import CHECKS, METRICS, findings
from alignment_dashboard.store.history import Histories
from drawn_histories import a_history, noise

STEPS = 400
RISING = [2 * (1 - math.exp(-step / 100)) + spread for step, spread in enumerate(noise(STEPS, 0.0, 0.1))]


def at(values: Sequence[float], **odd: float) -> list[float]:
    return [odd.get(f"step_{step}", value) for step, value in enumerate(values, 1)]


def heavy_tailed(seed: int = 0, length: int = STEPS) -> list[float]:
    """Return gradient norms as real ones spread: log-normal, now and then several times the median."""
    return list(numpy.random.default_rng(seed).lognormal(0, 0.6, length))


def chosen(end: float, deviation: float = 0.1) -> list[float]:
    return [end * step / STEPS + spread for step, spread in enumerate(noise(STEPS, 0.0, deviation, seed=3), 1)]


FELL = [-2.5 * min(max(step - 60, 0), 100) / 100 + spread for step, spread in enumerate(noise(STEPS, 0.0, 0.1, seed=4))]


def evaluated(*values: float, pairs: float = 2_000, margin: Sequence[float] = RISING) -> Histories:
    return {
        EVALUATION_REWARD_ACCURACY: a_history(values, every=50),
        EVALUATION_PAIRS: a_history([pairs] * len(values), every=50),
        REWARD_MARGIN: a_history(margin),
    }


def preferring(rewards: Sequence[float], accuracy: Sequence[float] = (), total: int = STEPS) -> Histories:
    return {
        REWARD_CHOSEN: a_history(rewards),
        REWARD_MARGIN: a_history(RISING),
        EVALUATION_REWARD_ACCURACY: a_history(accuracy, every=100),
        TOTAL_STEPS: a_history([total]),
    }


@pytest.mark.parametrize(
    ("situation", "histories", "title", "step"),
    [
        ("a loss that is NaN", {LOSS: a_history(at(noise(50), step_20=math.nan))}, "The loss is NaN or infinite", 20),
        (
            "a gradient that is infinite first",
            {LOSS: a_history([1.0, 1.0, math.nan]), GRADIENT_NORM: a_history([1.0, math.inf, math.nan])},
            "The gradient is NaN or infinite",
            2,
        ),
        ("one spike", {LOSS: a_history(at(noise(STEPS), step_123=50.0))}, "Spike of the loss", 123),
        ("several spikes", {LOSS: a_history(at(noise(STEPS), step_123=5.0, step_250=9.0))}, "2 spikes of the loss", 250),
        (
            "a gradient of one step",
            {GRADIENT_NORM: a_history(at(heavy_tailed(), step_200=90.0))},
            "Gradient norm far above its median",
            200,
        ),
        (
            "gradients that stay large",
            {GRADIENT_NORM: a_history(heavy_tailed(length=300) + [9 * norm for norm in heavy_tailed(1, 100)])},
            "Gradient norm far above its median",
            311,
        ),
        (
            "the chosen fall beside the rejected",
            {REWARD_CHOSEN: a_history(chosen(-3.0)), REWARD_MARGIN: a_history(RISING)},
            "The chosen log-probability falls while the margin rises",
            262,
        ),
        (
            "chosen answers that fell, beside an accuracy that does not improve",
            preferring(FELL, accuracy=[0.6, 0.61, 0.6, 0.6]),
            "The chosen log-probability falls while the margin rises",
            127,
        ),
        (
            "overfitting of pairs",
            evaluated(0.6, 0.75, 0.72, 0.70, 0.66, 0.64),
            "The accuracy on the holdout falls while the training margin grows",
            100,
        ),
        (
            "overfitting of sft",
            {EVALUATION_LOSS: a_history([2.0, 1.8, 1.7, 1.9, 2.0, 2.1], every=50), LOSS: a_history([-value for value in RISING])},
            "The loss on the holdout rises while the training loss falls",
            150,
        ),
        (
            "a slow end",
            {TOKENS_PER_SECOND: a_history(noise(300, 9_000, 500) + noise(100, 4_000, 300))},
            "The throughput dropped",
            311,
        ),
    ],
)
def test_what_is_noticed(situation: str, histories: Histories, title: str, step: int) -> None:
    (found,) = findings(histories)
    assert found.title == title, situation
    assert abs(found.step - step) <= 2, situation
    assert found.meaning.endswith(".")


@pytest.mark.parametrize(
    ("situation", "histories"),
    [
        ("nothing", {}),
        ("a single point", {metric: a_history([1.0]) for metric in METRICS}),
        ("a spike of which too little is known around it", {LOSS: a_history([1.0, 50.0, 1.0])}),
        (
            "a loss near 0, whose noise is many times its mean",
            {LOSS: a_history([abs(value) for value in noise(STEPS, 0.0, 1e-3)])},
        ),
        (
            "a loss that falls fast",
            {LOSS: a_history([9 * math.exp(-step / 10) + spread for step, spread in enumerate(noise(STEPS, 2.0))])},
        ),
        ("a dip of the loss", {LOSS: a_history(at(noise(STEPS), step_99=0.01))}),
        ("large gradients of the first steps", {GRADIENT_NORM: a_history([80.0] * 10 + heavy_tailed())}),
        (
            "a chosen reward that falls a little beside a large margin",
            {REWARD_CHOSEN: a_history(chosen(-0.3)), REWARD_MARGIN: a_history(RISING)},
        ),
        (
            "a chosen reward that falls by most of the margin, as is usual",
            {REWARD_CHOSEN: a_history(chosen(-1.5)), REWARD_MARGIN: a_history(RISING)},
        ),
        ("chosen answers that fell, beside an accuracy that improves", preferring(FELL, accuracy=[0.5, 0.6, 0.65, 0.7])),
        ("the first quarter of a stage", preferring(chosen(-3.0), total=1_700)),
        (
            "a fall in fewer than 100 points, of a number that is not known",
            {REWARD_CHOSEN: a_history(noise(99, -3.0)), REWARD_MARGIN: a_history(noise(99, 1.0))},
        ),
        (
            "chosen rewards that only spread",
            {REWARD_CHOSEN: a_history(chosen(0.0, 2.0)), REWARD_MARGIN: a_history(noise(STEPS, 0.0, 2.0))},
        ),
        ("chosen answers that become more likely", {REWARD_CHOSEN: a_history(chosen(1.5)), REWARD_MARGIN: a_history(RISING)}),
        ("an accuracy that still rises", evaluated(0.6, 0.7, 0.71, 0.73, 0.74)),
        ("an accuracy that varies by chance", evaluated(0.70, 0.72, 0.71, 0.70, 0.71)),
        ("a fall on few rows", evaluated(0.60, 0.75, 0.70, 0.69, 0.68, pairs=100)),
        ("a fall at the last evaluation only", evaluated(0.6, 0.75, 0.74, 0.75, 0.64)),
        ("a fall while the margin stays", evaluated(0.6, 0.75, 0.72, 0.66, 0.64, margin=noise(STEPS, 1.0))),
        ("lengths that change the speed", {TOKENS_PER_SECOND: a_history(noise(STEPS, 9_000, 2_000))}),
        ("a slow start, as of compiling", {TOKENS_PER_SECOND: a_history([100.0] * 20 + noise(STEPS, 9_000, 500))}),
        ("one slow step, as of a save", {TOKENS_PER_SECOND: a_history(at(noise(STEPS, 9_000, 500), step_200=10.0))}),
    ],
)
def test_what_is_not_noticed(situation: str, histories: Histories) -> None:
    assert findings(histories) == [], situation


@pytest.mark.parametrize("decay", [3, 10, 30, 100])
def test_a_gradient_norm_that_only_falls_is_not_noticed_however_long_it_is(decay: int) -> None:
    norms = [40 * math.exp(-step / decay) + 0.2 + spread for step, spread in enumerate(noise(200, 0.0, 0.01))]
    assert [length for length in range(40, 201) if findings({GRADIENT_NORM: a_history(norms[:length])})] == []


@pytest.mark.parametrize("seed", range(20))
def test_noise_of_any_seed_is_not_noticed(seed: int) -> None:
    length = 3_000
    assert (
        findings(
            {
                LOSS: a_history(noise(length, 0.6, 0.08, seed)),
                GRADIENT_NORM: a_history(heavy_tailed(seed, length)),
                REWARD_CHOSEN: a_history(noise(length, 0.0, 0.5, seed)),
                REWARD_MARGIN: a_history(noise(length, 0.0, 0.5, seed + 100)),
                EVALUATION_REWARD_ACCURACY: a_history(noise(20, 0.7, 0.01, seed), every=150),
                TOKENS_PER_SECOND: a_history(noise(length, 9_000, 1_500, seed)),
            }
        )
        == []
    )


def test_every_check_reads_only_metrics_that_the_page_reads() -> None:
    class Asked(dict[str, object]):
        names: set[str] = set()

        def get(self, name: str, default: object = None) -> object:
            self.names.add(name)
            return default

    asked = Asked()
    for check in CHECKS.values():
        check(asked)  # type: ignore[arg-type]
    assert asked.names <= set(METRICS)
