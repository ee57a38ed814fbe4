"""Builds jobs and children for tests; fields that a test does not set have harmless values."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.stage_run import StageRun, fresh_run
from alignment_operator.settings import Settings

PLAN_SETTINGS = Settings(first_retry_delay_seconds=10, longest_retry_delay_seconds=60)
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_training(**others: Any) -> dict[str, Any]:
    return {
        "datasets": [{"uri": "workspace://rows.jsonl"}],
        "maxLength": 64,
        "optimization": {"learningRate": 1e-3, "globalBatchSize": 8, "epochs": 1},
        **others,
    }


def a_document(name: str = "job", **spec: Any) -> dict[str, Any]:
    """A valid AlignmentJob with an sft and a dpo stage, as YAML would give it."""
    return {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": {"name": name},
        "spec": {
            "model": {"uri": "workspace://base"},
            "stages": [{"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training()}],
            "compute": {"nodes": 2, "gpusPerNode": 0},
            "storage": {"claimName": "workspace"},
            **spec,
        },
    }


def a_job(generation: int = 1, status: AlignmentJobStatus | None = None, **spec: Any) -> AlignmentJob:
    """The same job as the cluster returns it."""
    job = read_job(a_document(**spec))
    metadata = job.metadata.model_copy(update={"namespace": "team", "uid": "abcdef12-3456", "generation": generation})
    return job.model_copy(update={"metadata": metadata, "status": status})


def a_run(job: AlignmentJob, stage: str, attempt: int = 1) -> StageRun:
    spec = resolve_job(job).spec
    wanted = next(known for known in spec.stages or [] if known.name == stage)
    return fresh_run(job, spec, wanted, attempt)


def a_child(job: AlignmentJob, stage: str, state: str, attempt: int = 1, **others: Any) -> Child:
    """A child as it would be observed if it had been created from this job."""
    run = a_run(job, stage, attempt)
    return Child(
        **{
            "name": run.name,
            "uid": run.name,
            "stage": stage,
            "attempt": attempt,
            "input_hash": run.input_hash,
            "fingerprint": run.fingerprint,
            "rendering": run.rendering(PLAN_SETTINGS),
            "state": state,
            "start_time": NOW,
            **others,
        }
    )
