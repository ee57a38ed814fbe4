"""Which jobs are refused because a stage cannot fit into the GPUs that they name."""

from typing import Any

import pytest
from alignment_api.memory.fitting import GIBIBYTE
from alignment_api.memory.known_sizes import known_shape
from alignment_api.memory.stages import stage_memory
from alignment_api.problems import InvalidJob
from alignment_api.resolving.validation import resolve_job, runnable_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash
from alignment_api.spec.status import AlignmentJobStatus, Progress, StageStatus
from builders import NOW, a_job

UNSHARED = {"nodes": 1, "gpusPerNode": 8, "sharding": "None"}


def a_large_job(compute: dict[str, Any], model: dict[str, Any] | None = None) -> AlignmentJob:
    """Zephyr, whose recipe brings model, stages and A100 of 80 GB."""
    return a_job(recipe="zephyr-paper", model=model, stages=None, compute=compute)


@pytest.mark.parametrize(
    ("situation", "compute", "model"),
    [
        ("the recipe's own", {}, None),
        ("an unknown model", UNSHARED, {"uri": "hf://team/large"}),
        ("a model of the workspace", UNSHARED, {"uri": "workspace://large"}),
        ("an unknown GPU", {**UNSHARED, "acceleratorType": "NVIDIA-Next"}, None),
        ("a part of a GPU", {**UNSHARED, "acceleratorType": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"}, None),
        ("CPUs", {**UNSHARED, "gpusPerNode": 0}, None),
        ("larger GPUs", {**UNSHARED, "acceleratorType": "NVIDIA-H200", "sharding": "ZeRO2"}, None),
    ],
)
def test_taken(situation: str, compute: dict[str, Any], model: dict[str, Any] | None) -> None:
    runnable_job(a_large_job(compute, model))


def test_refused_with_a_sentence_for_each_stage() -> None:
    with pytest.raises(InvalidJob) as refused:
        runnable_job(a_large_job(UNSHARED))
    sft, dpo = refused.value.problems
    assert (sft.path, dpo.path) == ("spec.stages[0].compute", "spec.stages[1].compute")
    assert sft.sentence.startswith("sft needs about 1")
    assert "GiB of each GPU, and NVIDIA-A100-SXM4-80GB has 80.0; set compute.sharding to ZeRO1, with which" in sft.sentence


def test_an_unknown_family_is_not_refused() -> None:
    spec = resolve_job(a_large_job(UNSHARED)).spec
    (stage, _) = spec.stages or []
    shape = known_shape("hf://mistralai/Mistral-7B-v0.1")
    assert shape is not None
    counted, novel = (stage_memory(stage, spec.compute_of(stage), each) for each in (shape, shape._replace(family="novel")))
    assert counted.refusal("Tesla-T4", 15 * GIBIBYTE) is not None
    assert novel.refusal("Tesla-T4", 15 * GIBIBYTE) is None


@pytest.mark.parametrize(("packing", "is_refused"), [(True, True), (False, False)])
def test_unpacked_rows_may_be_short_and_are_not_refused(packing: bool, is_refused: bool) -> None:
    compute = {"gradientCheckpointing": False}
    sft = {"maxLength": 8192, "packing": packing}
    job = a_job(recipe="zephyr-paper", model=None, stages=[{"name": "sft", "sft": sft}], compute=compute)
    if is_refused:
        with pytest.raises(InvalidJob, match=r"set compute\.microBatchSize to 1, with which"):
            runnable_job(job)
    else:
        runnable_job(job)


@pytest.mark.parametrize(
    ("situation", "state", "progress", "generation", "is_refused"),
    [
        ("it has trained", "Running", True, 1, False),
        ("it has trained and lost its node", "Restarting", True, 1, False),
        ("it trained under another spec", "Running", True, 0, True),
        ("it has not trained yet", "Pending", False, 1, True),
        ("it is done", "Succeeded", True, 0, False),
    ],
)
def test_a_stage_that_has_trained_is_not_refused(
    situation: str, state: Any, progress: bool, generation: int, is_refused: bool
) -> None:
    job = a_large_job(UNSHARED)
    spec = resolve_job(job).spec
    done = Progress(step=1, total_steps=2, percent=50, updated_time=NOW) if progress else None
    stages = [
        StageStatus(name=stage.name, state=state, progress=done, input_hash=input_hash(spec, stage))
        for stage in spec.stages or []
    ]
    job = job.model_copy(update={"status": AlignmentJobStatus(observed_generation=generation, stages=stages)})
    if is_refused:
        with pytest.raises(InvalidJob):
            runnable_job(job)
    else:
        runnable_job(job)
