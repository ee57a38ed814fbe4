"""What the API server refuses, with the sentence that a person then reads; what only the operator can see, it says at once."""

from pathlib import Path
from typing import Any

import pytest
from builders import a_document, a_training
from cluster.conftest import StartJob
from cluster.installation import Installation
from cluster.jobs import EXAMPLES
from cluster.kubectl import Kubectl, Refused
from cluster.names import JOBS


def stages(**training: Any) -> dict[str, Any]:
    return {"stages": [{"name": "a", "sft": a_training(**training)}]}


def optimization(**settings: Any) -> dict[str, Any]:
    return stages(optimization={"learningRate": 1e-3, "globalBatchSize": 8, **settings})


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a misspelt field", stages(optimzation={}), 'unknown field "optimzation"'),
    ("a field of nowhere", {"storage": {"claimName": "a", "zzz": 1}}, 'unknown field "zzz"'),
    ("no stages", {"stages": None}, "set stages, or a recipe that brings them"),
    ("an empty list of stages", {"stages": []}, "spec.stages in body should have at least 1 items"),
    ("no model", {"model": None}, "set model.uri, or a recipe that brings it"),
    (
        "a reference to no stage",
        {"stages": [{"name": "dpo", "model": {"stage": "stf"}, "dpo": a_training()}]},
        "a stage's model.stage must name an earlier stage",
    ),
    (
        "a reference forwards",
        {"stages": [{"name": "dpo", "model": {"stage": "sft"}, "dpo": a_training()}, {"name": "sft", "sft": a_training()}]},
        "a stage's model.stage must name an earlier stage",
    ),
    (
        "a reference and the base",
        {"stages": [{"name": "sft", "model": {"stage": "x", "base": True}, "sft": a_training()}]},
        "set exactly one of stage (an earlier stage's name) and base: true",
    ),
    (
        "a name twice",
        {"stages": [{"name": "a", "sft": a_training()}, {"name": "a", "dpo": a_training()}]},
        "stage names must be unique",
    ),
    (
        "two kinds in one stage",
        {"stages": [{"name": "a", "sft": a_training(), "dpo": a_training()}]},
        "set exactly one of distill, feedback, sft, dpo, dpoDistillation, evaluate and export",
    ),
    ("two ends", optimization(epochs=1, maxSteps=1), "set only one of epochs and maxSteps"),
    ("two warm-ups", optimization(epochs=1, warmup={"fraction": 0.1, "steps": 3}), "set exactly one of fraction and steps"),
    ("a rate below zero", optimization(epochs=1, learningRate=-1), "learningRate in body should be greater than 0"),
    ("a rate as text", optimization(epochs=1, learningRate="fast"), 'got "string", expected "number"'),
    ("an address we do not know", {"model": {"uri": "ftp://x"}}, "spec.model.uri in body should match '^(hf://"),
    (
        "a way out of the workspace",
        {"model": {"uri": "workspace://a/../../etc"}},
        "uri must not contain '..'; name the path from the workspace's root",
    ),
    (
        "quantized weights without an adapter",
        stages(adapter={"quantization": "NF4"}),
        "quantization needs lora: quantized weights cannot be trained themselves",
    ),
    (
        "a claim that exists and one to create",
        {"storage": {"claimName": "a", "size": "1Gi"}},
        "set exactly one of claimName (a claim that exists) and size (a claim to create)",
    ),
    (
        "a class for a claim that exists",
        {"storage": {"claimName": "a", "storageClassName": "fast"}},
        "storageClassName goes with size: a claim that exists has its class already",
    ),
]

SAID: list[tuple[str, dict[str, Any], str]] = [
    (
        "a-batch-that-does-not-divide",
        {**optimization(epochs=1, globalBatchSize=30), "compute": {"nodes": 2, "gpusPerNode": 8}},
        "spec.stages[0].sft.optimization.globalBatchSize: 30 cannot be divided among 16 processes with micro-batches of 1: "
        "it must be a multiple of 16; the nearest possible values are 16 or 32",
    ),
    ("an-unknown-recipe", {"recipe": "zephyr"}, "spec.recipe: 'zephyr' is not a recipe; choose one of"),
    ("no-say-about-gpus", {"compute": {}}, "spec.compute.gpusPerNode: is not set; say how many GPUs each node gives"),
]


def documented(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    document = a_document(name)
    document["spec"] = {key: value for key, value in {**document["spec"], **spec}.items() if value is not None}
    return document


@pytest.mark.parametrize(("spec", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_an_impossible_spec_is_refused_in_words(spec: dict[str, Any], sentence: str, installation: Installation) -> None:
    with pytest.raises(Refused) as refused:
        Kubectl(JOBS).apply(documented("job", spec), dry_run=True)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", ["Job", "job.one", "1job", "j" * 33])
def test_a_name_that_no_child_could_bear_is_refused(name: str, installation: Installation) -> None:
    with pytest.raises(Refused):
        Kubectl(JOBS).apply(a_document(name), dry_run=True)


@pytest.mark.parametrize(("name", "spec", "sentence"), SAID, ids=[row[0] for row in SAID])
def test_what_only_the_operator_sees_is_said_in_the_job(name: str, spec: dict[str, Any], sentence: str, start: StartJob) -> None:
    job = start(documented(name, spec))
    status = job.wait("it is refused", lambda status: status.get("phase") == "Failed")
    assert status["reason"] == "InvalidSpec"
    assert sentence in status["message"]
    assert job.children() == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_admitted(path: Path, installation: Installation) -> None:
    Kubectl(JOBS)("apply", "--dry-run=server", "--filename", str(path))
