"""Renders a stage as a process of this machine: all its pods' processes under one supervisor."""

from alignment_api.names import (
    ATTEMPT_LABEL,
    FINGERPRINT_ANNOTATION,
    INPUT_HASH_ANNOTATION,
    JOB_LABEL,
    RENDERING_ANNOTATION,
    RUN_CONFIG_FILE,
    STAGE_LABEL,
)

from alignment_operator.backends import Manifest
from alignment_operator.deciding.endpoint_keys import keys_of_this_machine
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings


def render(run: StageRun, settings: Settings) -> list[Manifest]:
    """Give the RunConfig and the process that reads it."""
    metadata = {
        "name": run.name,
        "namespace": run.namespace,
        "labels": {JOB_LABEL: run.job.metadata.name, STAGE_LABEL: run.stage.name, ATTEMPT_LABEL: str(run.attempt)},
        "annotations": {
            INPUT_HASH_ANNOTATION: run.input_hash,
            FINGERPRINT_ANNOTATION: run.fingerprint,
            RENDERING_ANNOTATION: run.rendering(settings),
        },
    }
    config = run.run_config(settings)
    # There are no Secrets on one machine: what the person who runs the job may read, the job may. Keys of endpoints are an
    # exception, since a stranger's job would send them to an address of its own.
    keys = keys_of_this_machine(run.spec, run.stage, settings.secrets_path) if settings.secrets_path else None
    own = config.paths.model_copy(update={"hub_token": None, "s3_credentials": None, "endpoint_keys": keys or None})
    tracking = config.tracking.model_copy(update={"credentials": None})
    config = config.model_copy(update={"paths": own, "tracking": tracking})
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
                "environment": {
                    # One machine stands for all nodes: the same number of processes, and so the same result.
                    "PET_NNODES": "1",
                    "PET_NODE_RANK": "0",
                    "PET_NPROC_PER_NODE": str(config.world_size),
                    "PET_MASTER_ADDR": "127.0.0.1",
                },
            },
        },
    ]
