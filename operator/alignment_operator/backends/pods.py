"""What a PyTorchJob and its pods say about an attempt, in words a person can act on; pure."""

import re
from datetime import datetime
from typing import Any, NamedTuple

from alignment_api.exit_codes import OUT_OF_MEMORY, consequence
from alignment_api.names import ATTEMPT_LABEL, FINGERPRINT_ANNOTATION, INPUT_HASH_ANNOTATION, RENDERING_ANNOTATION, STAGE_LABEL

from alignment_operator.backends.termination import Said, as_sentence, read_termination
from alignment_operator.deciding.observation import Child, ChildState

Object = dict[str, Any]

_CANNOT_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CONTAINER = "pytorch"
_SIGKILL = 137
_ATTEMPT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class _Wait(NamedTuple):
    """Why a pod does not run yet."""

    reason: str
    sentence: str
    is_for_a_node: bool = False


class _End(NamedTuple):
    """How one pod failed."""

    time: str
    exit_code: int
    reason: str
    message: str
    last_checkpoint: int | None = None
    model_revision: str | None = None
    is_lost: bool = False
    """The pod was taken away, with its node or from it."""


def child_of(job: Object, pods: list[Object]) -> Child:
    """Describe the attempt that a PyTorchJob runs."""
    metadata = job["metadata"]
    state, reason, message = _state(job, pods)
    end = _first_end(pods) if state == "Failed" else None
    if state == "Failed" and end is None:
        # The training-operator takes a pod that is being deleted for failed, though it still saves a checkpoint.
        ending = [pod for pod in pods if _terminated(pod) is None]
        if ending:
            state, reason, message = "Stopping", "Stopping", _ending_message(ending)
        else:
            reason, message = "PodsGone", _condition_message(job, "Failed") or "its pods are gone, and nobody saw why"
    annotations = metadata.get("annotations", {})
    success = _success(pods) if state == "Succeeded" else None
    told = end or success
    return Child(
        name=metadata["name"],
        uid=metadata["uid"],
        stage=metadata["labels"][STAGE_LABEL],
        attempt=attempt_of(job) or 0,
        input_hash=annotations.get(INPUT_HASH_ANNOTATION, ""),
        fingerprint=annotations.get(FINGERPRINT_ANNOTATION, ""),
        rendering=annotations.get(RENDERING_ANNOTATION, ""),
        state=state,
        reason=end.reason if end else reason,
        message=as_sentence(told.message if told else message),
        # Pods that vanished before anybody saw their exit codes were taken away, not broken.
        exit_code=end.exit_code if end else (_SIGKILL if state == "Failed" else None),
        last_checkpoint=told.last_checkpoint if told else None,
        model_revision=told.model_revision if told else None,
        start_time=_running_since(job, pods, has_ended=bool(told)),
        end_time=_time(_finish(job, end)),
    )


def attempt_of(found: Object) -> int | None:
    """Read which attempt an object belongs to; None where its label is no number that the operator would give."""
    label = str(found["metadata"].get("labels", {}).get(ATTEMPT_LABEL, ""))
    return int(label) if _ATTEMPT.fullmatch(label) else None


def _running_since(job: Object, pods: list[Object], has_ended: bool) -> datetime | None:
    """Find when the last of all containers started; None while some have not: waiting for partners is no training."""
    started = [time for time in map(_started, pods) if time]
    is_whole = len(started) >= _wanted(job) or (has_ended and len(started) == len(pods))
    return max(started) if started and is_whole else None


def _started(pod: Object) -> datetime | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container["name"] == _CONTAINER:
            state = container.get("state", {})
            return _time((state.get("running") or state.get("terminated") or {}).get("startedAt"))
    return None


def _wanted(job: Object) -> int:
    return sum(replica.get("replicas", 1) for replica in job["spec"]["pytorchReplicaSpecs"].values())


def leftover_of(pods: list[Object]) -> Child:
    """Describe an attempt whose PyTorchJob is gone while pods of it still end."""
    stage = pods[0]["metadata"]["labels"][STAGE_LABEL]
    name = pods[0]["metadata"]["name"].rsplit("-", 2)[0]
    return Child(name, "", stage, attempt_of(pods[0]) or 0, "", "", "Stopping", message=_ending_message(pods))


def _state(job: Object, pods: list[Object]) -> tuple[ChildState, str, str]:
    conditions = {condition["type"]: condition for condition in job.get("status", {}).get("conditions", [])}
    if job["metadata"].get("deletionTimestamp"):
        return "Stopping", "Stopping", _ending_message(pods)
    for kind, state in (("Succeeded", "Succeeded"), ("Failed", "Failed")):
        if conditions.get(kind, {}).get("status") == "True":
            return state, "", ""  # type: ignore[return-value]
    if any(_failed(pod) for pod in pods):
        return "Failed", "", ""
    if job["spec"].get("runPolicy", {}).get("suspend"):
        return "Queued", "Queued", conditions.get("Suspended", {}).get("message") or "waiting for its queue to admit it"
    return _pending(job, pods) or ("Running", "", "")


def _pending(job: Object, pods: list[Object]) -> tuple[ChildState, str, str] | None:
    """Say why not all pods run yet; None when they do."""
    wanted = _wanted(job)
    # A pod that has ended its part already was running before.
    running = sum(_is_running(pod) or _succeeded(pod) for pod in pods)
    for pod in pods:
        said = _why_pending(pod)
        if said and said.is_for_a_node and wanted > 1:
            return "Pending", said.reason, f"waiting for {wanted - running} of {wanted} nodes: {said.sentence}"
        if said:
            return "Pending", said.reason, f"{pod['metadata']['name']}: {said.sentence}"
    if not pods:
        # Nothing that was not said when the attempt was made: it is not worth a write.
        return "Pending", "Starting", ""
    return None if running >= wanted else ("Pending", "Starting", f"{running} of {wanted} pods run")


def _why_pending(pod: Object) -> _Wait | None:
    status = pod.get("status", {})
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _CANNOT_PULL:
            advice = f"cannot pull {container.get('image')}: {message or reason}; check the image and its pull secret"
            return _Wait("ImagePullBackOff", advice)
        if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            return _Wait(reason, f"cannot start: {message}")
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = condition.get("message", "")
            if "persistentvolumeclaim" in message.lower():
                return _Wait("ClaimNotReady", message)
            return _Wait(condition.get("reason", "Unschedulable"), message, is_for_a_node=True)
    return None


def _is_running(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")


def _succeeded(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Succeeded")


def _failed(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Failed")


def _ending_message(pods: list[Object]) -> str:
    lost = [pod for pod in pods if pod.get("status", {}).get("reason") == "NodeLost" or _node_is_silent(pod)]
    if lost:
        names = ", ".join(pod["metadata"]["name"] for pod in lost)
        return f"waiting for {names} on a node that does not answer; delete the node object if it will not come back"
    return f"waiting for {len(pods)} pod{'s' if len(pods) != 1 else ''} to save and end" if pods else "ending"


def _node_is_silent(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(map(_was_marked_unready, conditions)) or any(
        condition["type"] == "DisruptionTarget" and condition.get("reason") == "DeletionByTaintManager"
        for condition in conditions
    )


def _was_marked_unready(condition: Object) -> bool:
    """Say whether the node's controller wrote this in place of a silent kubelet, which would have given a reason."""
    if condition["type"] != "Ready":
        return False
    return condition.get("reason") == "NodeStatusUnknown" or (condition["status"] == "False" and not condition.get("reason"))


def _first_end(pods: list[Object]) -> _End | None:
    """Find what failed first: what came after usually followed from it."""
    ends = [end for end in map(_end, pods) if end is not None and end.exit_code != 0]
    first = min(ends, key=_rank, default=None)
    if first is None or first.is_lost or consequence(first.exit_code, first.reason) != "Application":
        return first
    # Whoever loses a partner breaks over its absence, often long after and with a code of its own.
    if not any(map(is_lost, pods)):
        return first
    message = f"a partner was lost with its node; {first.message}"
    return first._replace(exit_code=_SIGKILL, reason="PartnerLost", message=message, is_lost=True)


def _rank(end: _End) -> tuple[bool, bool, bool, str]:
    """Order ends: what is final, then what was lost, then what broke; one that was asked to stop tells least."""
    is_final = consequence(end.exit_code, end.reason) == "Permanent"
    return not is_final, not end.is_lost, end.exit_code in (75, 143), end.time


def is_lost(pod: Object) -> bool:
    """Say whether a pod was taken away or its node stopped answering, whatever its containers did."""
    status = pod.get("status", {})
    disrupted = any(known["type"] == "DisruptionTarget" and known["status"] == "True" for known in status.get("conditions", []))
    gone_silent = _terminated(pod) is None and _node_is_silent(pod)
    return disrupted or gone_silent or status.get("reason") in ("NodeLost", "Evicted")


def _end(pod: Object) -> _End | None:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    disruption = next((known for known in status.get("conditions", []) if known["type"] == "DisruptionTarget"), None)
    terminated = _terminated(pod)
    said = read_termination(terminated, _SIGKILL)
    time = (terminated or {}).get("finishedAt") or ""
    if status.get("reason") == "Evicted" or (disruption and disruption["status"] == "True"):
        why = status.get("message") or (disruption or {}).get("message") or ""
        reason = "Evicted" if status.get("reason") == "Evicted" else (disruption or {}).get("reason") or "Disrupted"
        message = f"{name} was taken away: {why}"
        return _End(time, _SIGKILL, reason, message, said.last_checkpoint, said.model_revision, is_lost=True)
    if terminated is None:
        if not _failed(pod):
            return None
        if _gave_up_waiting(pod):
            message = f"{name} gave up waiting for the first pod of its stage, which did not run yet"
            return _End(time, _SIGKILL, "PartnerLate", message, is_lost=True)
        message = f"{name} failed: {status.get('message') or 'no reason given'}"
        return _End(time, _SIGKILL, status.get("reason") or "Lost", message, is_lost=True)
    if terminated.get("reason") == "OOMKilled":
        message = f"{name} used more than its memory limit; raise compute.memory, or lower microBatchSize or maxLength"
        return _End(time, _SIGKILL, OUT_OF_MEMORY, message, said.last_checkpoint, said.model_revision)
    return _End(time, terminated["exitCode"], said.reason, f"{name}: {said.message}", said.last_checkpoint, said.model_revision)


def _gave_up_waiting(pod: Object) -> bool:
    """Say whether the init container failed that the training-operator gives to all but the first pod."""
    ended = (known.get("state", {}).get("terminated") or {} for known in pod["status"].get("initContainerStatuses", []))
    return any(end.get("exitCode", 0) != 0 for end in ended)


def _success(pods: list[Object]) -> Said | None:
    ended = [terminated for terminated in map(_terminated, pods) if terminated and terminated["exitCode"] == 0]
    return read_termination(ended[0], 0) if ended else None


def _terminated(pod: Object) -> Object | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container["name"] == _CONTAINER:
            ended: Object | None = container.get("state", {}).get("terminated")
            return ended
    return None


def _condition_message(job: Object, kind: str) -> str:
    return next((known.get("message", "") for known in job.get("status", {}).get("conditions", []) if known["type"] == kind), "")


def _finish(job: Object, end: _End | None) -> str | None:
    completion: str | None = job.get("status", {}).get("completionTime")
    return completion or (end.time if end and end.time else None)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        # Who may write a PyTorchJob's status may write anything; a time that is none is as good as missing.
        return None
