"""The PersistentVolumeClaim of a job's workspace: its name, size and access mode."""

from alignment_api.names import JOB_LABEL
from alignment_api.problems import InvalidJob, Problem
from alignment_api.spec.job import Storage

from alignment_operator.backends import Manifest
from alignment_operator.deciding.stage_run import StageRun

_ON_SEVERAL_NODES, _ON_ONE_NODE = "ReadWriteMany", "ReadWriteOnce"


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


def needs_several_nodes(claim: Manifest) -> bool:
    """Return whether pods on several nodes are to write to a claim at the same time."""
    return _ON_SEVERAL_NODES in claim["spec"]["accessModes"]


def narrow_claim(wanted: Manifest, found: Manifest) -> str | None:
    """Return a sentence if pods on several nodes need a claim that the job created when one node was enough."""
    label = wanted["metadata"]["labels"][JOB_LABEL]
    is_own = found["metadata"].get("labels", {}).get(JOB_LABEL) == label
    if not is_own or not needs_several_nodes(wanted) or needs_several_nodes(found):
        return None
    name, modes = wanted["metadata"]["name"], ", ".join(found["spec"]["accessModes"])
    return (
        f"spec.storage: the claim {name} stays {modes}, as it was created, and parallelStages or nodes is above 1 now: pods on "
        "another node than the first will wait for the volume without end; copy the workspace to a "
        "ReadWriteMany claim and name that in spec.storage.claimName, or set both to 1"
    )


def created_claims(run: StageRun) -> list[Manifest]:
    """Return the claim to create if the job names a size; it has no owner, so that the workspace outlives the job."""
    storage = storage_of(run)
    if storage.size is None:
        return []
    # All stages share the claim, so the stage with the most nodes decides the access mode; stages side by side are on several.
    nodes = max(run.spec.compute_of(stage).nodes or 1 for stage in run.spec.stages or [])
    specification: Manifest = {
        "accessModes": [_ON_SEVERAL_NODES if max(nodes, run.spec.parallel_stages or 1) > 1 else _ON_ONE_NODE],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name:
        specification["storageClassName"] = storage.storage_class_name
    metadata = {"name": claim_name(run), "namespace": run.namespace, "labels": {JOB_LABEL: run.job.metadata.name}}
    return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": specification}]
