"""Each warning about a training, just inside and just outside its limit."""

from collections.abc import Sequence
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.journal import Point
from alignment_api.resolving.training_warnings import Rows, warnings_at_end, warnings_at_start
from alignment_api.run_config import RunConfig
from alignment_operator.settings import Settings
from builders import a_job, a_run, a_training

ENOUGH = Rows(1000, 100, 0)
WARMUP, RATE, HOLDOUT, LENGTH = "optimization.warmup", "optimization.learningRate", "holdout", "maxLength"


def config(kind: str, **settings: Any) -> RunConfig:
    """Return the RunConfig of a stage; it is the second one, so that its index is not 0."""
    job = a_job(stages=[{"name": "other", "export": {}}, {"name": "one", kind: a_training(**settings)}])
    return a_run(job, "one").run_config(Settings())


def optimized(**others: Any) -> dict[str, Any]:
    return {"optimization": {"learningRate": 1e-5, "globalBatchSize": 8, "epochs": 1, **others}}


SITUATIONS: list[tuple[str, dict[str, Any], int, Rows, str | None]] = [
    ("a warm-up that ends one step early", optimized(warmup={"steps": 99}), 100, ENOUGH, None),
    ("as long as the training", optimized(warmup={"steps": 100}), 100, ENOUGH, WARMUP),
    ("enough rows held out", {"holdout": {"fraction": 0.1}, **optimized()}, 100, Rows(1000, 20, 0), None),
    ("too few rows held out", {"holdout": {"fraction": 0.1}, **optimized()}, 100, Rows(1000, 19, 0), HOLDOUT),
    ("fewer rows left than were to be held out", {"holdout": {"examples": 20}, **optimized()}, 100, Rows(1000, 19, 0), HOLDOUT),
    ("no holdout", optimized(), 100, Rows(1000, 0, 0), None),
    ("one in twenty answers is cut", optimized(), 100, Rows(900, 100, 50), None),
    ("more answers are cut", optimized(), 100, Rows(900, 100, 51), LENGTH),
    ("nothing is wrong", optimized(warmup={"fraction": 0.1}), 100, ENOUGH, None),
]


@pytest.mark.parametrize(
    ("settings", "steps", "rows", "field"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_what_is_known_when_training_begins(settings: dict[str, Any], steps: int, rows: Rows, field: str | None) -> None:
    found = warnings_at_start(config("sft", **settings), steps, 10**9, rows)
    assert [warning.path for warning in found] == ([f"spec.stages[1].sft.{field}"] if field else [])


@pytest.mark.parametrize(("parameters", "fields"), [(10_000_000, []), (7_000_000_000, [f"spec.stages[1].dpo.{RATE}"])])
def test_a_learning_rate_is_judged_again_when_the_size_of_the_model_is_known(parameters: int, fields: list[str]) -> None:
    found = warnings_at_start(config("dpo", **optimized(learningRate=2e-4)), 100, parameters, ENOUGH)
    assert [warning.path for warning in found] == fields


def test_what_the_spec_alone_shows_is_not_repeated() -> None:
    settings = {**optimized(warmup={"fraction": 1}, learningRate=0.5), "holdout": {"examples": 5}}
    assert warnings_at_start(config("sft", **settings), 100, 10**9, Rows(1000, 5, 0)) == []


def losses(name: str, values: Sequence[float]) -> list[Point]:
    return [Point(0, step, {name: value, metrics.LEARNING_RATE: 1.0}) for step, value in enumerate(values)]


def spiked(first: float, last: float) -> list[float]:
    """Return the losses of 80 steps; single ones are far above the others."""
    return [first * 3, *[first] * 39, *[last] * 39, last * 3]


ENDS: list[tuple[str, list[Point], str | None]] = [
    ("no step", [], None),
    ("three steps", losses(metrics.LOSS, [2.0, 2.1, 2.1]), None),
    ("four steps", losses(metrics.LOSS, [2.0, 3, 1, 2.1]), "the training loss ended at 2.1, above its start of 2;"),
    ("only the last of many is above the first", losses(metrics.LOSS, [2.0, *[1.0] * 58, 2.01]), None),
    ("noise", losses(metrics.LOSS, spiked(2.0, 2.019)), None),
    (
        "a rise",
        losses(metrics.LOSS, spiked(2.0, 2.04)),
        "the training loss ended at 2.244, above its start of 2.2 (means of 20 steps);",
    ),
    (
        "a loss below 0 that rises",
        losses(metrics.LOSS, [-1, -1, -1, -0.9]),
        "the training loss ended at -0.9, above its start of -1;",
    ),
    ("a held-out loss", losses(metrics.EVALUATION_LOSS, [0.6931, 0.2, 0.6999]), None),
    (
        "a held-out loss that rises",
        losses(metrics.EVALUATION_LOSS, [0.6931, 0.2, 0.7101]),
        "the held-out loss ended at 0.7101, above its start of 0.6931, so held-out rows became less likely;",
    ),
    ("one evaluation", losses(metrics.EVALUATION_LOSS, [0.7]), None),
]


@pytest.mark.parametrize(("points", "sentence"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_what_the_losses_show_at_the_end(points: list[Point], sentence: str | None) -> None:
    found = warnings_at_end(config("dpo"), points)
    assert [warning.path for warning in found] == (["spec.stages[1].dpo.optimization"] if sentence else [])
    assert all(sentence and warning.sentence.startswith(sentence) for warning in found)


def test_a_cut_answer_is_counted_in_words() -> None:
    (warning,) = warnings_at_start(config("sft", **optimized()), 100, 10**9, Rows(900, 100, 312))
    assert str(warning) == (
        "spec.stages[1].sft.maxLength: in 312 of 1000 rows (31%) an answer is cut off at 64 tokens, so the model does not learn "
        "to end it; raise maxLength"
    )
