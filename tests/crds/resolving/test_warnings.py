"""Each warning about a spec, just inside and just outside its limit; recipes and examples give none."""

from pathlib import Path
from typing import Any

import pytest
from alignment_api.document import read_document
from alignment_api.resolving.recipes import recipe_names, resolve
from alignment_api.resolving.usual_values import rate_remark
from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.stages import Dpo, Sft

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
MEANT = {"dpo-kd-phi2.yaml": ["spec.stages[0].dpoDistillation.adapter.lora.dropout"]}
"""An example with a published value that has no effect."""
SEVEN_BILLION, UNKNOWN = "hf://mistralai/Mistral-7B-v0.1", "workspace://base"


def warnings(kind: str, settings: dict[str, Any], model: str = UNKNOWN) -> list[tuple[str, str]]:
    """Return the warnings about one stage, with their fields below it."""
    stage = {"name": "one", kind: {"maxLength": 64, **settings}}
    spec = resolve(AlignmentJobSpec.parse({"model": {"uri": model}, "stages": [stage]})).spec
    return [(path.removeprefix(f"spec.stages[0].{kind}."), sentence) for path, sentence in spec_warnings(spec)]


def optimized(**others: Any) -> dict[str, Any]:
    return {"optimization": {"learningRate": 1e-5, "globalBatchSize": 8, "epochs": 1, **others}}


def steps(warmup: dict[str, Any], most: int) -> dict[str, Any]:
    return {"optimization": {"learningRate": 1e-5, "globalBatchSize": 8, "maxSteps": most, "warmup": warmup}}


def rows(warm: int, epochs: float, *limits: int | None) -> dict[str, Any]:
    datasets = [{"uri": f"workspace://{index}", **({"maxExamples": most} if most else {})} for index, most in enumerate(limits)]
    return {"datasets": datasets, **optimized(epochs=epochs, warmup={"steps": warm})}


def lora(**others: Any) -> dict[str, Any]:
    return {"adapter": {"lora": others}, **optimized()}


WARMUP, RATE, HOLDOUT = "optimization.warmup", "optimization.learningRate", "holdout"
DROPOUT, BETA = "adapter.lora.dropout", "beta"

SITUATIONS: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("a warm-up that ends one step early", "sft", steps({"steps": 99}, 100), None),
    ("as long as the training", "sft", steps({"steps": 100}, 100), WARMUP),
    ("longer than the training", "dpo", steps({"steps": 101}, 100), WARMUP),
    ("no warm-up", "sft", steps({"steps": 0}, 1), None),
    ("nearly all steps", "sft", steps({"fraction": 0.99}, 100), None),
    ("all steps", "sft", steps({"fraction": 1}, 100), WARMUP),
    ("a fraction that is rounded up to all steps", "sft", steps({"fraction": 0.1}, 1), WARMUP),
    ("all of unknown steps", "sft", optimized(warmup={"fraction": 1}), WARMUP),
    ("steps of unknown rows", "sft", optimized(warmup={"steps": 1000}), None),
    ("steps of limited rows", "sft", rows(9, 2, 30, 7), None),
    ("too many steps of limited rows", "sft", rows(10, 2, 30, 7), WARMUP),
    ("one dataset has no limit", "sft", rows(10, 2, 30, None), None),
    ("dropout of SFT", "sft", lora(dropout=0.05), None),
    ("dropout of DPO", "dpo", lora(dropout=0.05), DROPOUT),
    ("no dropout of DPO", "dpo", lora(dropout=0), None),
    ("DPO without an adapter", "dpo", optimized(), None),
    ("dropout of a kind that does not run yet", "dpoDistillation", lora(dropout=0.05), DROPOUT),
    ("enough rows held out", "sft", {"holdout": {"examples": 20}, **optimized()}, None),
    ("too few rows held out", "sft", {"holdout": {"examples": 19}, **optimized()}, HOLDOUT),
    ("a fraction held out", "sft", {"holdout": {"fraction": 0.001}, **optimized()}, None),
    ("a beta ten times too large", "dpo", {"beta": 5, **optimized()}, None),
    ("a larger beta", "dpo", {"beta": 5.1, **optimized()}, BETA),
    ("a beta ten times too small", "dpo", {"beta": 0.001, **optimized()}, None),
    ("a smaller beta", "dpo", {"beta": 0.0009, **optimized()}, BETA),
    ("a beta that IPO takes", "dpo", {"loss": "IPO", "beta": 5.1, **optimized()}, None),
    ("a beta that IPO does not take", "dpo", {"loss": "IPO", "beta": 10.1, **optimized()}, BETA),
    ("a beta that APO does not take", "dpo", {"loss": "APOZero", "beta": 5.1, **optimized()}, BETA),
]


@pytest.mark.parametrize(("kind", "settings", "field"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_a_warning_names_its_field(kind: str, settings: dict[str, Any], field: str | None) -> None:
    assert [path for path, _ in warnings(kind, settings)] == ([field] if field else [])


RATES = [
    ("sft", {}, SEVEN_BILLION, 1e-7, 1e-3),
    ("sft", {}, UNKNOWN, 1e-7, 1e-2),
    ("sft", {"adapter": {"lora": {}}}, SEVEN_BILLION, 1e-6, 1e-2),
    ("dpo", {}, SEVEN_BILLION, 1e-8, 1e-4),
    ("dpo", {}, UNKNOWN, 1e-8, 1e-3),
    ("dpo", {"adapter": {"lora": {}}}, SEVEN_BILLION, 1e-7, 1e-3),
]


@pytest.mark.parametrize(("kind", "settings", "model", "least", "most"), RATES)
def test_a_learning_rate_is_judged_by_method_adapter_and_model(
    kind: str, settings: dict[str, Any], model: str, least: float, most: float
) -> None:
    judged = {
        rate: [path for path, _ in warnings(kind, {**settings, **optimized(learningRate=rate)}, model)]
        for rate in (0.9 * least, least, most, 1.1 * most)
    }
    assert list(judged.values()) == [[RATE], [], [], [RATE]]


@pytest.mark.parametrize(("parameters", "is_far"), [(None, False), (49_999_999, False), (50_000_000, True)])
def test_a_small_model_may_take_a_larger_rate(parameters: int | None, is_far: bool) -> None:
    settings = Sft.parse(optimized(learningRate=3e-3))
    assert (rate_remark(settings, parameters) is not None) == is_far


SENTENCES = [
    (
        "sft",
        steps({"steps": 1}, 1),
        "the warm-up takes 1 step and the training at most 1 step, so the learning rate never reaches 1e-05; "
        "shorten the warm-up, or train longer",
    ),
    (
        "sft",
        optimized(warmup={"fraction": 1}),
        "the warm-up takes the whole training, so the learning rate never reaches 1e-05; shorten the warm-up",
    ),
    ("dpo", lora(dropout=0.05), "0.05 has no effect: policy and reference are compared without dropout; set it to 0"),
    (
        "sft",
        {"holdout": {"examples": 1}, **optimized()},
        "1 row is held out, so chance decides the held-out metrics; hold out at least 20",
    ),
    (
        "dpo",
        {"beta": 10, **optimized()},
        "10 is 20 times the largest that is usual for the loss Sigmoid, 0.01 to 0.5 (the handbook takes 0.01, Zephyr 0.1, the "
        "DPO paper 0.1 and 0.5); correct it, unless it is meant",
    ),
    (
        "dpo",
        optimized(learningRate=1e-12),
        "1e-12 is 100,000 times smaller than the smallest that is usual for preferences with all weights, 1e-07 to 1e-05 (Zephyr "
        "and the handbook take 5e-07, the DPO paper 1e-06); correct it, unless it is meant",
    ),
]


@pytest.mark.parametrize(("kind", "settings", "sentence"), SENTENCES)
def test_a_warning_says_what_to_do(kind: str, settings: dict[str, Any], sentence: str) -> None:
    assert [said for _, said in warnings(kind, settings)] == [sentence]


def test_a_spec_that_was_stored_without_defaults_gives_no_warning() -> None:
    stages = [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {"adapter": {}}}, {"name": "export", "export": {}}]
    assert spec_warnings(AlignmentJobSpec.parse_stored({"stages": stages})) == []
    assert rate_remark(Dpo(), None) is None


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_gives_no_warning(name: str) -> None:
    assert spec_warnings(resolve(AlignmentJobSpec.parse({"recipe": name})).spec) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_gives_no_warning(path: Path) -> None:
    meant = MEANT.get(path.name, [])
    assert [warning.path for warning in spec_warnings(resolve_job(read_job(read_document(path))).spec)] == meant
