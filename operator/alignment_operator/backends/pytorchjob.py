"""Runs a stage as a PyTorchJob of Kubeflow's training-operator (kubeflow.org/v1), and reads the attempt's state from it; pure."""

import re
from datetime import datetime
from typing import Any

from alignment_api.names import FINGERPRINT_ANNOTATION, INPUT_HASH_ANNOTATION, RENDERING_ANNOTATION, STAGE_LABEL
from alignment_api.spec.batch import processes_per_node

from alignment_operator.backends import Manifest, Resource, pods
from alignment_operator.backends.labels import attempt_of, metadata
from alignment_operator.backends.pod_ends import SIGKILL, End, end_of, explaining_end, success_of
from alignment_operator.backends.pod_template import pod_template
from alignment_operator.backends.pods import Pod, name_of
from alignment_operator.backends.run_config_map import run_config_map
from alignment_operator.backends.termination import as_sentence
from alignment_operator.backends.workspace_claim import created_claims
from alignment_operator.deciding.observation import NODE_NOT_READY, Child, ChildState
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings

RESOURCE = Resource("PyTorchJob", "kubeflow.org", "v1", "pytorchjobs")
# The training-operator controls the pods of a PyTorchJob directly.
BETWEEN: tuple[Resource, ...] = ()
NOT_INSTALLED = (
    "TrainingOperatorMissing",
    "the cluster has no PyTorchJob resource: install Kubeflow's training-operator (1.9.4 or later)",
)

# The training-operator looks for a container of this name.
_CONTAINER = "pytorch"
# The training-operator names pods JOB-ROLE-INDEX; only one pod of a namespace can have a name.
_FIRST_POD = "master-0"
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
# Kueue reads this label and holds the PyTorchJob back until its queue has quota.
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

_State = tuple[ChildState, str, str]
"""State, reason and message."""


def render(run: StageRun, settings: Settings) -> list[Manifest]:
    """Return the workspace claim if one is to be created, the ConfigMap with the RunConfig, and the PyTorchJob."""
    return [*created_claims(run), run_config_map(run, settings), _pytorch_job(run, settings)]


def observe(child: Manifest, seen: list[Pod]) -> Child:
    """Describe the attempt that a PyTorchJob runs."""
    state, reason, message = _state(child, seen)
    end = _failure(seen) if state == "Failed" else None
    if state == "Failed" and end is None:
        state, reason, message = _failed_without_exit_code(child, seen)
    success = success_of(seen, _CONTAINER) if state == "Succeeded" else None
    written = end or success
    annotations = child["metadata"].get("annotations", {})
    return Child(
        name=name_of(child),
        uid=child["metadata"]["uid"],
        stage=child["metadata"]["labels"][STAGE_LABEL],
        attempt=attempt_of(child) or 0,
        input_hash=annotations.get(INPUT_HASH_ANNOTATION, ""),
        fingerprint=annotations.get(FINGERPRINT_ANNOTATION, ""),
        rendering=annotations.get(RENDERING_ANNOTATION, ""),
        state=state,
        reason=end.reason if end else reason,
        message=as_sentence(written.message if written else message),
        # Pods that disappeared before their exit codes were read count as taken away, not as broken.
        exit_code=end.exit_code if end else (SIGKILL if state == "Failed" else None),
        last_checkpoint=written.last_checkpoint if written else None,
        model_revision=written.model_revision if written else None,
        warnings=success.warnings if success else None,
        progress=success.progress if success else None,
        start_time=_running_since(child, seen, has_ended=bool(written)),
        end_time=pods.time_from(_completion(child, end)),
    )


def observe_leftover(seen: list[Pod]) -> Child:
    """Describe an attempt whose PyTorchJob is gone while some of its pods still end."""
    stage = seen[0]["metadata"]["labels"][STAGE_LABEL]
    name = name_of(seen[0]).rsplit("-", 2)[0]
    return Child(name, "", stage, attempt_of(seen[0]) or 0, "", "", "Stopping", message=pods.stopping_message(seen))


def is_replica(child: Manifest, pod: Pod) -> bool:
    """Check that a pod has the name of one of the PyTorchJob's replicas."""
    wanted = {role.lower(): _count(replica) for role, replica in child["spec"]["pytorchReplicaSpecs"].items()}
    role, _, index = name_of(pod).removeprefix(f"{name_of(child)}-").rpartition("-")
    is_index = bool(_INDEX.fullmatch(index))
    return is_index and int(index) < wanted.get(role, 0) and name_of(pod) == f"{name_of(child)}-{role}-{index}"


def first_pod(child: Manifest) -> str:
    """Return the name of the master's pod."""
    return f"{name_of(child)}-{_FIRST_POD}"


def was_lost(pod: Pod) -> bool:
    """Check whether a pod was removed from its node, or its node stopped answering."""
    return pods.was_lost(pod, _CONTAINER)


def trimmed(child: Manifest) -> Manifest:
    """Return the parts of a PyTorchJob's spec that are read here."""
    spec = child["spec"]
    replicas = {role: {"replicas": _count(replica)} for role, replica in spec["pytorchReplicaSpecs"].items()}
    return {"runPolicy": spec.get("runPolicy", {}), "pytorchReplicaSpecs": replicas}


def _pytorch_job(run: StageRun, settings: Settings) -> Manifest:
    named = metadata(run, settings)
    if run.spec.queue_name:
        named["labels"] = {**named["labels"], _QUEUE_LABEL: run.spec.queue_name}
    nodes = run.compute.nodes or 1
    # A failed pod stays as it is, with its exit code: the operator restarts the stage as a whole.
    replica = {"restartPolicy": "Never", "template": pod_template(run, settings, _CONTAINER)}
    replicas = {"Master": {"replicas": 1, **replica}}
    if nodes > 1:
        replicas["Worker"] = {"replicas": nodes - 1, **replica}
    return {
        "apiVersion": f"{RESOURCE.group}/{RESOURCE.version}",
        "kind": RESOURCE.kind,
        "metadata": named,
        "spec": {
            "nprocPerNode": str(processes_per_node(run.compute)),
            # Failed pods are kept for their exit codes; running ones must not hold GPUs after the others have ended.
            "runPolicy": {"cleanPodPolicy": "Running"},
            "pytorchReplicaSpecs": replicas,
        },
    }


def _state(job: Manifest, seen: list[Pod]) -> _State:
    conditions = _conditions(job)
    if job["metadata"].get("deletionTimestamp"):
        return "Stopping", "Stopping", pods.stopping_message(seen)
    if conditions.get("Succeeded", {}).get("status") == "True":
        return "Succeeded", "", ""
    if conditions.get("Failed", {}).get("status") == "True" or any(map(pods.has_failed, seen)):
        return "Failed", "", ""
    if job["spec"].get("runPolicy", {}).get("suspend"):
        return "Queued", "Queued", conditions.get("Suspended", {}).get("message") or "waiting for its queue to admit it"
    return _pending(job, seen) or _running(seen)


def _pending(job: Manifest, seen: list[Pod]) -> _State | None:
    """Describe why not all pods run yet; None when they do."""
    wanted = _pod_count(job)
    # A pod that has already succeeded was running before.
    running = sum(pods.is_running(pod) or pods.has_succeeded(pod) for pod in seen)
    for pod in seen:
        wait = pods.why_pending(pod)
        if wait and wait.is_for_a_node and wanted > 1:
            # The other pods wait on their nodes for the first one.
            placed = sum(map(pods.has_node, seen))
            return "Pending", wait.reason, f"waiting for {wanted - placed} of {wanted} nodes: {wait.sentence}"
        if wait:
            return "Pending", wait.reason, f"{name_of(pod)}: {wait.sentence}"
    if not seen:
        # The status has said "is being started" since the attempt was created; an empty message causes no write.
        return "Pending", "Starting", ""
    return None if running >= wanted else ("Pending", "Starting", f"{running} of {wanted} pods are running")


def _running(seen: list[Pod]) -> _State:
    # Kubernetes removes the pods of a silent node only after minutes; until then they seem to run.
    silent = pods.silent_node_message(list(filter(pods.is_running, seen)))
    return ("Running", NODE_NOT_READY, silent) if silent else ("Running", "", "")


def _failure(seen: list[Pod]) -> End | None:
    return explaining_end(map(_end, seen), any(map(was_lost, seen)))


def _end(pod: Pod) -> End | None:
    end = end_of(pod, _CONTAINER)
    if end is None or pods.was_disrupted(pod) or pods.terminated(pod, _CONTAINER) or not _gave_up_waiting(pod):
        return end
    message = f"{name_of(pod)} gave up waiting for the first pod of its stage, which was not running yet"
    return End(end.time, SIGKILL, "PartnerLate", message, is_lost=True)


def _gave_up_waiting(pod: Pod) -> bool:
    """Check whether the init container failed with which the training-operator makes other pods wait for the first one."""
    ended = (known.get("state", {}).get("terminated") or {} for known in pod["status"].get("initContainerStatuses", []))
    return any(end.get("exitCode", 0) != 0 for end in ended)


def _failed_without_exit_code(job: Manifest, seen: list[Pod]) -> _State:
    # The training-operator marks a PyTorchJob as failed while a pod that is being deleted still saves a checkpoint.
    unended = [pod for pod in seen if pods.terminated(pod, _CONTAINER) is None]
    if unended:
        return "Stopping", "Stopping", pods.stopping_message(unended)
    message = _conditions(job).get("Failed", {}).get("message", "")
    return "Failed", "PodsGone", message or "its pods disappeared before their exit codes could be read"


def _running_since(job: Manifest, seen: list[Pod], has_ended: bool) -> datetime | None:
    """Return when the last container started; None until all have, since a pod that waits for its peers does not train."""
    started = [time for time in (pods.started_time(pod, _CONTAINER) for pod in seen) if time]
    is_whole = len(started) >= _pod_count(job) or (has_ended and len(started) == len(seen))
    return max(started) if started and is_whole else None


def _pod_count(job: Manifest) -> int:
    return sum(map(_count, job["spec"]["pytorchReplicaSpecs"].values()))


def _count(replica: Manifest) -> int:
    count: int = replica.get("replicas", 1)
    return count


def _conditions(job: Manifest) -> dict[str, Any]:
    return {condition["type"]: condition for condition in job.get("status", {}).get("conditions", [])}


def _completion(job: Manifest, end: End | None) -> str | None:
    completion: str | None = job.get("status", {}).get("completionTime")
    return completion or (end.time if end and end.time else None)
