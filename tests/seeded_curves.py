"""Curves of made-up training runs: the same at every call, and good or bad as their parameters say."""

import math
from typing import NamedTuple

import numpy
from alignment_api import metrics

STEPS = 200
EVALUATION_STEPS = (50, 100, 150, 200)
SPIKE_STEP, NAN_STEP = 120, 90
LEARNING_RATES, BETAS, SEEDS = (5e-7, 1e-6, 2e-6), (0.01, 0.1), (1, 2)
BEST = (1e-6, 0.01, 1)
"""Learning rate, beta and seed of the best run of the sweep."""

_QUALITY = {(5e-7, 0.01): 0.6, (5e-7, 0.1): 0.45, (1e-6, 0.01): 0.95, (1e-6, 0.1): 0.75, (2e-6, 0.01): 0.7, (2e-6, 0.1): 0.5}

Curve = list[tuple[int, float]]
"""Steps with their values."""


class Parameters(NamedTuple):
    """What a run varies, and what goes wrong in it."""

    learning_rate: float = 1e-6
    beta: float = 0.1
    seed: int = 1
    fault: str = ""


def curves(kind: str, parameters: Parameters, steps: int = STEPS) -> dict[str, Curve]:
    """Return the curves of a stage up to a step."""
    draw = numpy.random.default_rng([parameters.seed, int(parameters.learning_rate * 1e9), int(parameters.beta * 100), len(kind)])
    shape = _preference(parameters, draw) if kind == "dpo" else _supervised(draw)
    trained = {name: [(step + 1, float(value)) for step, value in enumerate(values[:steps])] for name, values in shape.items()}
    if kind == "dpo":
        _break(trained, parameters.fault)
    return trained | _evaluations(trained, kind, parameters, steps)


def _supervised(draw: numpy.random.Generator) -> dict[str, numpy.ndarray]:
    share = numpy.arange(1, STEPS + 1) / STEPS
    loss = 1.1 + 1.2 * numpy.exp(-5 * share) + draw.normal(0, 0.03, STEPS)
    return {
        metrics.LOSS: loss,
        metrics.TOKEN_ACCURACY: 0.74 - 0.12 * (loss - 1.1),
        metrics.ENTROPY: 0.9 * loss,
        **_common(share, draw, highest_rate=2e-5),
    }


def _preference(parameters: Parameters, draw: numpy.random.Generator) -> dict[str, numpy.ndarray]:
    share = numpy.arange(1, STEPS + 1) / STEPS
    margin = 1.8 * _quality(parameters) * (1 - numpy.exp(-4 * share)) + draw.normal(0, 0.08, STEPS)
    chosen = -0.35 * margin * parameters.learning_rate / 1e-6 + draw.normal(0, 0.03, STEPS)
    length = 210 + draw.normal(0, 12, STEPS)
    return {
        metrics.LOSS: numpy.log1p(numpy.exp(-margin)),
        metrics.REWARD_MARGIN: margin,
        metrics.REWARD_ACCURACY: numpy.clip(0.5 + 0.2 * margin, 0, 1),
        metrics.REWARD_CHOSEN: chosen,
        metrics.REWARD_REJECTED: chosen - margin,
        metrics.LOGPS_CHOSEN: -280 + chosen / parameters.beta,
        metrics.LOGPS_REJECTED: -260 + (chosen - margin) / parameters.beta,
        metrics.LENGTH_CHOSEN: length,
        metrics.LENGTH_REJECTED: length - 15,
        metrics.KL: (chosen - margin / 2) / parameters.beta,
        **_common(share, draw, highest_rate=parameters.learning_rate),
    }


def _common(share: numpy.ndarray, draw: numpy.random.Generator, highest_rate: float) -> dict[str, numpy.ndarray]:
    return {
        metrics.LEARNING_RATE: highest_rate * numpy.minimum(share / 0.1, (1 - share) / 0.9 + 1e-3),
        metrics.GRADIENT_NORM: 1.5 + numpy.exp(-3 * share) + draw.gamma(2, 0.1, STEPS),
        metrics.TOKENS_PER_SECOND: 41_000 + draw.normal(0, 600, STEPS),
        metrics.MEMORY_RESERVED: numpy.full(STEPS, 71.5),
        metrics.TOKENS: numpy.arange(1, STEPS + 1) * 131_072.0,
    }


def _quality(parameters: Parameters) -> float:
    return _QUALITY[parameters.learning_rate, parameters.beta] - 0.01 * (parameters.seed - 1)


def _evaluations(trained: dict[str, Curve], kind: str, parameters: Parameters, steps: int) -> dict[str, Curve]:
    reached = [step for step in EVALUATION_STEPS if step <= steps]
    if kind == "sft":
        loss = dict(trained[metrics.LOSS])
        return {metrics.EVALUATION_LOSS: [(step, round(loss[step] + 0.04, 4)) for step in reached]}
    shares = {step: _quality(parameters) * (1 - math.exp(-4 * step / STEPS)) for step in reached}
    return {
        metrics.EVALUATION_LOSS: [(step, math.log(2) - 0.25 * share) for step, share in shares.items()],
        metrics.EVALUATION_REWARD_MARGIN: [(step, 1.5 * share) for step, share in shares.items()],
        metrics.EVALUATION_REWARD_ACCURACY: [(step, 0.5 + 0.28 * share) for step, share in shares.items()],
        metrics.EVALUATION_KL: [(step, 2 * share) for step, share in shares.items()],
    }


def _break(trained: dict[str, Curve], fault: str) -> None:
    """Put a fault into the training curves of a run."""
    for name in (metrics.LOSS, metrics.GRADIENT_NORM):
        if fault == "spike":
            trained[name] = [(step, value * 50 if step == SPIKE_STEP else value) for step, value in trained[name]]
        if fault == "nan":
            trained[name] = [(step, math.nan if step >= NAN_STEP else value) for step, value in trained[name]]
