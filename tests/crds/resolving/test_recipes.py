"""Recipes fill unset fields, set values win, and every value has an origin."""

from typing import Any

import pytest
import yaml
from alignment_api.document import leaf_comments
from alignment_api.resolving.recipes import recipe_names, recipe_text, resolve
from alignment_api.spec.job import AlignmentJobSpec

RECIPES = ["dpo-kd-offline", "dpo-kd-online", "tutor-lora", "zephyr-handbook", "zephyr-paper", "zephyr-qlora"]


def spec(**fields: Any) -> AlignmentJobSpec:
    return AlignmentJobSpec.parse(fields)


def test_these_are_the_recipes() -> None:
    assert recipe_names() == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_value_of_a_recipe_has_a_comment_with_its_source(name: str) -> None:
    structure = ("stages", "name", "split")
    without = [
        path
        for path, comment in leaf_comments(recipe_text(name)).items()
        if not comment and not path.endswith(structure) and path.rsplit(".", 1)[-1] != "name"
    ]
    assert without == []


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_resolves_and_every_value_is_accounted_for(name: str) -> None:
    resolved = resolve(spec(recipe=name))
    leaves = leaf_comments(yaml.safe_dump(resolved.spec.dump()))
    assert {f"spec.{path}" for path in leaves} == set(resolved.origins)


def test_zephyr_as_the_paper_has_it() -> None:
    sft, dpo = resolve(spec(recipe="zephyr-paper")).spec.stages or []
    assert sft.sft and dpo.dpo and sft.sft.optimization and dpo.dpo.optimization
    assert (sft.sft.optimization.learning_rate, sft.sft.optimization.global_batch_size, sft.sft.max_length) == (2e-5, 512, 2048)
    assert (dpo.dpo.optimization.learning_rate, dpo.dpo.optimization.global_batch_size) == (5e-7, 32)
    assert (dpo.dpo.beta, dpo.dpo.optimization.schedule, dpo.dpo.optimization.epochs) == (0.1, "Linear", 3)


SITUATIONS: list[tuple[str, dict[str, Any], str, Any, str]] = [
    ("left out", {}, "spec.stages[1].dpo.beta", 0.1, "recipe zephyr-paper"),
    ("written", {"stages": [{"name": "dpo", "dpo": {"beta": 0.5}}]}, "spec.stages[0].dpo.beta", 0.5, "spec"),
    (
        "written beside it",
        {"stages": [{"name": "dpo", "dpo": {"beta": 0.5}}]},
        "spec.stages[0].dpo.optimization.learningRate",
        5e-7,
        "recipe zephyr-paper",
    ),
    (
        "another name, the same kind",
        {"stages": [{"name": "prefer", "dpo": {}}]},
        "spec.stages[0].dpo.optimization.epochs",
        3,
        "recipe zephyr-paper",
    ),
    ("neither says", {}, "spec.stages[0].sft.optimization.maximumGradientNorm", 1, "default"),
    (
        "steps in place of the recipe's fraction",
        {"stages": [{"name": "sft", "sft": {"optimization": {"warmup": {"steps": 7}}}}]},
        "spec.stages[0].sft.optimization.warmup.steps",
        7,
        "spec",
    ),
    (
        "steps in place of the recipe's epochs",
        {"stages": [{"name": "sft", "sft": {"optimization": {"maxSteps": 9}}}]},
        "spec.stages[0].sft.optimization.maxSteps",
        9,
        "spec",
    ),
    ("the model of one's own", {"model": {"uri": "hf://me/mine"}}, "spec.model.uri", "hf://me/mine", "spec"),
    ("the template beside it", {"model": {"uri": "hf://me/mine"}}, "spec.model.chatTemplate", "Zephyr", "recipe zephyr-paper"),
    ("fewer nodes", {"compute": {"nodes": 1}}, "spec.compute.gpusPerNode", 8, "recipe zephyr-paper"),
]


@pytest.mark.parametrize(
    ("fields", "path", "value", "source"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_the_spec_wins_then_the_recipe_then_the_default(fields: dict[str, Any], path: str, value: Any, source: str) -> None:
    resolved = resolve(spec(recipe="zephyr-paper", **fields))
    assert resolved.origins[path].source == source
    found: Any = {"spec": resolved.spec.dump()}
    for part in path.replace("[", ".").replace("]", "").split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    assert found == value


def test_an_adapter_is_never_added_but_completed() -> None:
    plain, adapted = (
        resolve(spec(model={"uri": "hf://a/b"}, stages=[{"name": "sft", "sft": settings}])).spec.stages
        for settings in ({}, {"adapter": {"lora": {"rank": 4}}})
    )
    assert plain and plain[0].sft and plain[0].sft.adapter is None
    assert adapted and adapted[0].sft and adapted[0].sft.adapter and adapted[0].sft.adapter.lora
    assert (adapted[0].sft.adapter.lora.rank, adapted[0].sft.adapter.lora.alpha) == (4, 16)


def test_decontamination_is_never_added_but_completed() -> None:
    measured_on = {"datasets": [{"uri": "hf://a/quiz"}]}
    plain, asked = (
        resolve(spec(model={"uri": "hf://a/b"}, stages=[{"name": "dpo", "dpo": settings}])).spec.stages
        for settings in ({}, {"decontamination": measured_on})
    )
    assert plain and plain[0].dpo and plain[0].dpo.decontamination is None
    assert asked and asked[0].dpo and asked[0].dpo.decontamination
    assert (asked[0].dpo.decontamination.ngram_words, asked[0].dpo.decontamination.overlap) == (8, 0.5)


def test_values_of_a_recipe_have_a_reason() -> None:
    origin = resolve(spec(recipe="zephyr-handbook")).origins["spec.stages[1].dpo.beta"]
    assert origin == ("recipe zephyr-handbook", "handbook: 0.01")


def test_resolving_a_resolved_spec_changes_nothing() -> None:
    once = resolve(spec(recipe="tutor-lora")).spec
    assert resolve(once).spec == once
