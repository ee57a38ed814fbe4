"""A kind that runs but does not train, behind sft: nothing treats it as training, and the table decides what it needs."""

from dataclasses import replace
from typing import Any

import pytest
from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.memory.stages import memory_problems
from alignment_api.problems import InvalidJob
from alignment_api.resolving import recipes
from alignment_api.resolving.recipes import resolve
from alignment_api.resolving.validation import read_job, resolve_job, runnable_job
from alignment_api.run_config import RunConfig
from alignment_api.spec.combinations import combination_problems
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import input_hash, parent_of
from alignment_operator.backends import process, pytorchjob
from alignment_operator.machine.explanation import batch_lines
from alignment_operator.machine.memory_table import gpu_memory
from alignment_operator.settings import Settings
from builders import a_document, a_job, a_run, a_training

ENDPOINT = {"baseUrl": "http://teacher:8000/v1", "model": "t"}
PROMPTS = [{"uri": "hf://a/b"}]
LATER: dict[str, dict[str, Any]] = {
    "distill": {"distill": {"teachers": [ENDPOINT], "prompts": PROMPTS}},
    "feedback": {"feedback": {"responders": [{"endpoint": ENDPOINT}], "judge": ENDPOINT, "prompts": PROMPTS}},
    "evaluate": {"evaluate": {"tasks": [{"name": "arc", "benchmark": "arc_challenge"}]}},
    "export": {"export": {}},
}
GPUS = {"nodes": 2, "gpusPerNode": 4, "acceleratorType": "NVIDIA-H100-80GB-HBM3", "microBatchSize": 1}
# Too large to be trained on such GPUs without sharding, and well known.
LARGE = {"uri": "hf://mistralai/Mistral-7B-v0.1"}
LORA = {"adapter": {"lora": {}}}


def test_every_kind_that_does_not_train_is_in_this_table() -> None:
    assert set(LATER) == {kind for kind in KINDS if not KINDS[kind].trains}


@pytest.fixture(params=LATER)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind that trains nothing and that this version runs."""
    monkeypatch.setitem(KINDS, request.param, replace(KINDS[request.param], runs=True))
    return str(request.param)


def behind_sft(kind: str, **later: Any) -> list[dict[str, Any]]:
    return [{"name": "sft", "sft": a_training(**LORA)}, {"name": "later", **LATER[kind], **later}]


def test_the_job_runs_and_only_its_training_is_estimated(kind: str, tmp_path: Any) -> None:
    job = a_job(stages=behind_sft(kind), compute=GPUS, model=LARGE)
    spec = runnable_job(job).spec
    assert [memory.stage.name for memory in gpu_memory(spec, tmp_path)] == ["sft"]
    assert [line.partition(":")[0] for line in batch_lines(spec)] == ["sft"]


def test_settings_that_training_forbids_are_accepted(kind: str) -> None:
    # Without an adapter Mistral-7B cannot be trained on a T4, nor anything with these settings together.
    compute = {"nodes": 1, "gpusPerNode": 1, "acceleratorType": "Tesla-T4", "sharding": "None", "offload": "Optimizer"}
    job = a_job(stages=behind_sft(kind, compute=compute), compute=GPUS, model=LARGE)
    spec = runnable_job(job).spec
    later = (spec.stages or [])[1]
    assert known_base_shape(spec) is not None
    assert memory_problems(job, spec) == []
    assert combination_problems(later, spec.compute_of(later), "path", "kind") == []


def test_the_table_decides_whether_it_has_a_parent_and_gpus(kind: str) -> None:
    job = a_job(stages=behind_sft(kind), compute=GPUS)
    spec = runnable_job(job).spec
    later = (spec.stages or [])[1]
    parent, compute = parent_of(spec, later), spec.compute_of(later)
    if KINDS[kind].loads_model:
        assert parent is not None
        assert (parent.name, compute.nodes, compute.gpus_per_node, compute.accelerator_type) == (
            "sft",
            2,
            4,
            GPUS["acceleratorType"],
        )
    else:
        # It waits for endpoints: one process, on any node.
        assert (parent, compute.nodes, compute.gpus_per_node, compute.accelerator_type) == (None, 1, 0, None)


def test_its_own_compute_wins(kind: str) -> None:
    # A stage that loads no model has one process, and may have its GPU.
    nodes, gpus = (3, 2) if KINDS[kind].loads_model else (1, 1)
    spec = runnable_job(a_job(stages=behind_sft(kind, compute={"nodes": nodes, "gpusPerNode": gpus}), compute=GPUS)).spec
    compute = spec.compute_of((spec.stages or [])[1])
    assert (compute.nodes, compute.gpus_per_node) == (nodes, gpus)


@pytest.mark.parametrize("backend", [process, pytorchjob], ids=["process", "pytorchjob"])
def test_every_backend_renders_it(backend: Any, kind: str) -> None:
    manifests = backend.render(a_run(a_job(stages=behind_sft(kind)), "later"), Settings())
    config = next(manifest for manifest in manifests if manifest["kind"] == "ConfigMap")
    assert RunConfig.model_validate_json(config["data"]["run.json"]).stage.kind == kind


def test_an_edit_of_the_stage_before_it_changes_its_hash_if_it_loads_the_model(kind: str) -> None:
    before, after = (
        resolve_job(
            read_job(a_document(stages=[{"name": "sft", "sft": a_training(maxLength=length)}, *behind_sft(kind)[1:]]))
        ).spec
        for length in (32, 64)
    )
    old, new = (input_hash(spec, (spec.stages or [])[1]) for spec in (before, after))
    assert (old != new) == KINDS[kind].loads_model


def test_gpus_per_node_must_be_set_if_it_loads_a_model(kind: str) -> None:
    document = a_document(stages=[{"name": "only", **LATER[kind]}], compute={})
    if not KINDS[kind].loads_model:
        assert runnable_job(read_job(document)).spec.stages
        return
    with pytest.raises(InvalidJob, match=r"^spec\.compute\.gpusPerNode: is not set; set it to the GPUs of each node"):
        runnable_job(read_job(document))


@pytest.mark.parametrize("model", [{"base": True}, {"stage": "sft"}])
def test_a_model_is_refused_if_it_loads_none(model: dict[str, Any], kind: str) -> None:
    job = a_job(stages=behind_sft(kind, model=model))
    if KINDS[kind].loads_model:
        assert runnable_job(job).spec.stages
        return
    with pytest.raises(
        InvalidJob, match=rf"^spec\.stages\[1\]\.model: has no effect: a {kind} stage does not start from a model; remove it$"
    ):
        runnable_job(job)


def test_a_kind_without_defaults_is_resolved(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = recipes._tree("defaults")
    del known["kinds"][kind]
    monkeypatch.setattr(recipes, "_tree", lambda name: {**known})
    later = (resolve(a_job(stages=behind_sft(kind)).spec).spec.stages or [])[1]
    assert later.settings == (a_job(stages=behind_sft(kind)).spec.stages or [])[1].settings
