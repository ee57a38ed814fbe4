"""Runs a stage as a process of this machine, one supervisor for all ranks, and reads the attempt's state from it; pure."""

import signal
from datetime import datetime
from typing import NamedTuple

from alignment_api.exit_codes import Termination
from alignment_api.names import (
    ATTEMPT_LABEL,
    FINGERPRINT_ANNOTATION,
    INPUT_HASH_ANNOTATION,
    JOB_LABEL,
    RENDERING_ANNOTATION,
    RUN_CONFIG_FILE,
    STAGE_LABEL,
)
from alignment_api.run_config import RunConfig

from alignment_operator.backends import Manifest
from alignment_operator.backends.labels import annotations
from alignment_operator.deciding.endpoint_keys import keys_of_this_machine
from alignment_operator.deciding.observation import Child, ChildState
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.deciding.untrusted import bounded_warnings
from alignment_operator.settings import Settings

_KILLED = Termination(
    exit_code=128 + signal.SIGKILL,
    reason="Killed",
    message="the trainer was killed before it could write a reason; its log ends at that point",
)


class SeenProcess(NamedTuple):
    """What this machine can see of an attempt's process."""

    is_alive: bool
    is_stopping: bool
    """Whether it was asked to stop, alive or not."""
    termination: Termination | None
    """What the trainer wrote at its end; None if it was killed before it could."""
    start_time: datetime | None
    end_time: datetime | None


def render(run: StageRun, settings: Settings) -> list[Manifest]:
    """Return the RunConfig and the process that reads it."""
    metadata = {
        "name": run.name,
        "namespace": run.namespace,
        "labels": {JOB_LABEL: run.job.metadata.name, STAGE_LABEL: run.stage.name, ATTEMPT_LABEL: str(run.attempt)},
        "annotations": annotations(run, settings),
    }
    config = _run_config(run, settings)
    return [
        {
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {RUN_CONFIG_FILE: config.model_dump_json(by_alias=True, exclude_none=True)},
        },
        {
            "kind": "Process",
            "metadata": metadata,
            "spec": {
                "module": "alignment_trainer",
                "graceSeconds": settings.grace_seconds,
                "gpus": config.world_size if config.compute.gpus_per_node else 0,
                "environment": {
                    # One machine runs the processes of all nodes: with the same number of ranks, the result is the same.
                    "PET_NNODES": "1",
                    "PET_NODE_RANK": "0",
                    "PET_NPROC_PER_NODE": str(config.world_size),
                    "PET_MASTER_ADDR": "127.0.0.1",
                },
            },
        },
    ]


def observe(child: Manifest, seen: SeenProcess) -> Child:
    """Describe the attempt that a process runs."""
    state, termination = _state(seen)
    labels, hashes = child["metadata"]["labels"], child["metadata"]["annotations"]
    return Child(
        name=child["metadata"]["name"],
        uid=child["metadata"]["name"],
        stage=labels[STAGE_LABEL],
        attempt=int(labels[ATTEMPT_LABEL]),
        input_hash=hashes[INPUT_HASH_ANNOTATION],
        fingerprint=hashes[FINGERPRINT_ANNOTATION],
        rendering=hashes[RENDERING_ANNOTATION],
        state=state,
        reason=termination.reason if termination else "",
        message=termination.message if termination else "",
        exit_code=termination.exit_code if termination else None,
        last_checkpoint=termination.last_checkpoint if termination else None,
        model_revision=termination.model_revision if termination else None,
        warnings=bounded_warnings(termination.warnings) if termination and termination.warnings else None,
        start_time=seen.start_time,
        end_time=seen.end_time,
    )


def _run_config(run: StageRun, settings: Settings) -> RunConfig:
    """Adapt the RunConfig to a machine without Secrets."""
    config = run.run_config(settings)
    # The job may read whatever its user may read. Keys of endpoints are the exception: a job written by someone else
    # could send them to an address of its own.
    keys = keys_of_this_machine(run.spec, run.stage, settings.secrets_path) if settings.secrets_path else None
    paths = config.paths.model_copy(update={"hub_token": None, "s3_credentials": None, "endpoint_keys": keys or None})
    tracking = config.tracking.model_copy(update={"credentials": None})
    return config.model_copy(update={"paths": paths, "tracking": tracking})


def _state(seen: SeenProcess) -> tuple[ChildState, Termination | None]:
    if seen.is_stopping:
        return "Stopping", None
    if seen.is_alive:
        return "Running", None
    termination = seen.termination or _KILLED
    return ("Succeeded" if termination.exit_code == 0 else "Failed"), termination
