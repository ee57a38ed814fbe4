"""A job's record survives upgrades; an edit changes what it names and nothing else."""

import json
from typing import Any

import pytest
from alignment_api.problems import InvalidJob
from alignment_api.resolving.record import Settled, settle
from alignment_api.resolving.validation import read_stored_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash
from alignment_api.spec.status import AlignmentJobStatus, StageStatus
from builders import a_document, a_job, a_training
from new_version import Change, change_recipe

__all__ = ["change_recipe"]

ADAPTED = {"adapter": {"lora": {"rank": 4}}}


def recorded(**spec: Any) -> AlignmentJob:
    """A job of which this version has written the record."""
    job = a_job(**spec)
    return job.model_copy(update={"status": AlignmentJobStatus(observed_generation=1, record=settle(job).record)})


def edited(job: AlignmentJob, **spec: Any) -> Settled:
    return settle(a_job(generation=2, status=job.status, **spec))


def value(settled: Settled, stage: int, path: str) -> Any:
    found: Any = (settled.spec.stages or [])[stage].settings.dump()
    for part in path.split("."):
        found = found.get(part) if found is not None else None
    return found


def stages(sft: dict[str, Any] | None = None, dpo: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [{"name": "sft", "sft": a_training(**(sft or {}))}, {"name": "dpo", "dpo": a_training(**(dpo or {}))}]


def test_a_new_version_changes_no_recorded_value(change_recipe: Change) -> None:
    job = recorded()
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    assert value(settle(a_job()), 0, "checkpoint.keep") == 3
    settled = settle(job)
    assert (value(settled, 0, "checkpoint.keep"), settled.edited, settled.moved) == (2, frozenset(), frozenset())
    assert settled.record == (job.status.record if job.status else None)


def test_a_rule_of_a_new_version_does_not_refuse_a_recorded_job() -> None:
    job = recorded()
    assert job.status and job.status.record
    rdma = {"resourceName": "nvidia.com/gpu", "count": 1}
    written, resolved = (
        {**spec, "compute": {**spec["compute"], "rdma": rdma}}
        for spec in (json.loads(job.status.record.written), json.loads(job.status.record.resolved))
    )
    status = {"observedGeneration": 1, "record": {"written": json.dumps(written), "resolved": json.dumps(resolved)}}
    stored = read_stored_job({**a_document(**written), "status": status})
    settled = settle(stored)
    assert settled.spec.compute and settled.spec.compute.rdma
    assert (settled.spec.compute.rdma.resource_name, settled.edited, settled.refusal) == ("nvidia.com/gpu", frozenset(), None)
    edit = settle(read_stored_job({**a_document(**{**written, "suspend": True}), "status": status}))
    assert (edit.spec.suspend, edit.edited) == (True, frozenset())
    assert edit.refusal and "spec.compute.rdma.resourceName: 'nvidia.com/gpu' is not possible" in edit.refusal


def test_fields_of_a_new_version_are_filled_in_and_change_no_stage(change_recipe: Change) -> None:
    job = recorded()
    assert job.status and job.status.record
    written, resolved = job.status.record.written, json.loads(job.status.record.resolved)
    for stage in resolved["stages"]:
        del next(stage[kind] for kind in ("sft", "dpo") if kind in stage)["precision"]
    record = job.status.record.model_copy(update={"resolved": json.dumps(resolved), "written": written})
    job = job.model_copy(update={"status": job.status.model_copy(update={"record": record})})
    settled = settle(job)
    assert (value(settled, 0, "precision"), settled.edited) == ("BFloat16", frozenset())
    assert edited(job, stages=stages(dpo={"beta": 0.3})).edited == {"dpo"}


EDITS: list[tuple[str, dict[str, Any], dict[str, Any], set[str], set[str]]] = [
    ("nothing that matters to a stage", {}, {"suspend": True}, set(), set()),
    ("the second stage", {}, {"stages": stages(dpo={"beta": 0.3})}, {"dpo"}, set()),
    ("the first stage, and so what builds on it", {}, {"stages": stages(sft={"maxLength": 32})}, {"sft", "dpo"}, set()),
    ("where all stages run", {}, {"compute": {"nodes": 1, "gpusPerNode": 0}}, set(), {"sft", "dpo"}),
    ("a value that the default gave, to what it was", {}, {"stages": stages(dpo={"beta": 0.1})}, set(), set()),
    ("an adapter that is taken out", {"stages": stages(dpo=ADAPTED)}, {"stages": stages()}, {"dpo"}, set()),
    ("the model", {}, {"model": {"uri": "workspace://other"}}, {"sft", "dpo"}, set()),
]


@pytest.mark.parametrize(("before", "after", "reached", "moved"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS])
def test_an_edit_changes_only_what_it_names_even_under_a_new_version(
    before: dict[str, Any], after: dict[str, Any], reached: set[str], moved: set[str], change_recipe: Change
) -> None:
    job = recorded(**before)
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    settled = edited(job, **{**before, **after})
    assert (settled.edited, settled.moved) == (reached, moved)
    assert value(settled, 0, "checkpoint.keep") == 2
    assert value(settled, 1, "checkpoint.keep") == 2


def test_a_removed_adapter_leaves_no_values() -> None:
    settled = edited(recorded(stages=stages(dpo=ADAPTED)))
    assert value(settled, 1, "adapter") is None


def test_a_removed_value_comes_from_the_present_recipe_or_default(change_recipe: Change) -> None:
    job = recorded(stages=stages(dpo={"beta": 0.3}))
    change_recipe("defaults", "beta: 0.1 ", "beta: 0.2 ")
    assert value(edited(job), 1, "beta") == 0.2


def test_max_steps_replace_recorded_epochs() -> None:
    job = recorded(recipe="tutor-lora", stages=[{"name": "sft", "sft": {"datasets": [{"uri": "workspace://rows.jsonl"}]}}])
    assert value(settle(job), 0, "optimization.epochs") == 2
    shorter = {"datasets": [{"uri": "workspace://rows.jsonl"}], "optimization": {"maxSteps": 10}}
    settled = edited(job, recipe="tutor-lora", stages=[{"name": "sft", "sft": shorter}])
    assert (value(settled, 0, "optimization.maxSteps"), value(settled, 0, "optimization.epochs")) == (10, None)


def test_another_recipe_wins_over_the_record_and_the_old_one_leaves_nothing_behind(change_recipe: Change) -> None:
    own = [{"name": "dpo", "dpo": {"datasets": [{"uri": "workspace://rows.jsonl"}], "checkpoint": {"everySteps": 5}}}]
    job = recorded(recipe="zephyr-paper", stages=own)
    assert (value(settle(job), 0, "beta"), value(settle(job), 0, "optimization.weightDecay")) == (0.1, 0)
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    change_recipe("defaults", "weightDecay: 0 ", "weightDecay: 0.5 ")
    settled = edited(job, recipe="zephyr-handbook", stages=own)
    assert value(settled, 0, "beta") == 0.01, "the new recipe's"
    assert value(settled, 0, "optimization.weightDecay") == 0.5, "the old recipe gave it; now the default does"
    assert value(settled, 0, "checkpoint.keep") == 2, "a default that was recorded"


def test_what_is_written_for_all_stages_wins_over_a_recipe_s_stage_also_after_it_was_recorded() -> None:
    job = recorded(recipe="zephyr-paper", model=None, stages=None, compute=None)
    assert micro_batches(settle(job)) == [4, 2]
    assert micro_batches(settle(a_job(recipe="zephyr-paper", model=None, stages=None, compute={"microBatchSize": 1}))) == [1, 1]
    settled = edited(job, recipe="zephyr-paper", model=None, stages=None, compute={"microBatchSize": 1})
    assert (micro_batches(settled), settled.edited, settled.moved) == ([1, 1], frozenset(), {"sft", "dpo"})


def micro_batches(settled: Settled) -> list[int | None]:
    return [settled.spec.compute_of(stage).micro_batch_size for stage in settled.spec.stages or []]


def test_a_recipe_that_a_new_version_no_longer_has_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [{"name": "dpo", "dpo": {"datasets": [{"uri": "workspace://rows.jsonl"}]}}]
    job = recorded(recipe="zephyr-paper", stages=own)
    monkeypatch.setattr("alignment_api.resolving.recipes.recipe_names", lambda: ["tutor-lora"])
    assert value(settle(job), 0, "optimization.globalBatchSize") == 32


def test_an_edit_that_cannot_run_keeps_the_record_and_is_refused_in_a_sentence() -> None:
    job = recorded()
    settled = edited(job, recipe="no-such", suspend=True, activeDeadlineSeconds=7, ttlSecondsAfterFinished=8)
    assert "'no-such' is not a recipe" in (settled.refusal or "")
    wishes = settled.spec.suspend, settled.spec.active_deadline_seconds, settled.spec.ttl_seconds_after_finished
    assert wishes == (True, 7, 8), "that much is clear"
    assert (settled.edited, settled.record) == (frozenset(), job.status.record if job.status else None)
    assert value(settled, 0, "checkpoint.keep") == 2
    with pytest.raises(InvalidJob, match="no-such"):
        settle(a_job(recipe="no-such"))


UNRECORDED: list[tuple[str, int, set[str]]] = [
    ("nothing was edited since that version saw it", 1, set()),
    ("it was edited meanwhile: only the hashes can tell", 2, {"dpo"}),
]


@pytest.mark.parametrize(("generation", "reached"), [row[1:] for row in UNRECORDED], ids=[row[0] for row in UNRECORDED])
def test_a_job_of_a_version_without_records_gets_one(generation: int, reached: set[str]) -> None:
    spec = settle(a_job()).spec
    known = [StageStatus(name=stage.name, state="Succeeded", input_hash=input_hash(spec, stage)) for stage in spec.stages or []]
    known[1] = known[1].model_copy(update={"input_hash": "anotherversion00"})
    status = AlignmentJobStatus(observed_generation=1, stages=known)
    assert settle(a_job(generation=generation, status=status)).edited == reached
