"""The PersistentVolumeClaim of a job's workspace: its name, size and access mode."""

from alignment_api.names import JOB_LABEL
from alignment_api.problems import InvalidJob, Problem
from alignment_api.spec.job import Storage

from alignment_operator.backends import Manifest
from alignment_operator.deciding.stage_run import StageRun


def storage_of(run: StageRun) -> Storage:
    """Return the job's storage; raise InvalidJob if it has none."""
    if run.spec.storage is None:
        raise InvalidJob(
            [Problem("spec.storage", "is not set; on a cluster set claimName (an existing claim) or size (creates a claim)")]
        )
    return run.spec.storage


def claim_name(run: StageRun) -> str:
    """Return the name of the claim that the pods mount."""
    return storage_of(run).claim_name or f"{run.job.metadata.name}-workspace"


def created_claims(run: StageRun) -> list[Manifest]:
    """Return the claim to create if the job names a size; it has no owner, so that the workspace outlives the job."""
    storage = storage_of(run)
    if storage.size is None:
        return []
    # All stages share the claim, so the stage with the most nodes decides the access mode; stages side by side are on several.
    nodes = max(run.spec.compute_of(stage).nodes or 1 for stage in run.spec.stages or [])
    specification: Manifest = {
        "accessModes": ["ReadWriteMany" if max(nodes, run.spec.parallel_stages or 1) > 1 else "ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name:
        specification["storageClassName"] = storage.storage_class_name
    metadata = {"name": claim_name(run), "namespace": run.namespace, "labels": {JOB_LABEL: run.job.metadata.name}}
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": specification}]
