"""What a PyTorchJob and its pods say about an attempt, in words a person can act on; pure."""

from datetime import datetime
from typing import Any, NamedTuple

from alignment_api.exit_codes import OUT_OF_MEMORY, Termination
from alignment_api.names import ATTEMPT_LABEL, FINGERPRINT_ANNOTATION, INPUT_HASH_ANNOTATION, RENDERING_ANNOTATION, STAGE_LABEL
from pydantic import ValidationError

from alignment_operator.observation import Child, ChildState

Object = dict[str, Any]

_CANNOT_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_SIGKILL = 137


class _End(NamedTuple):
    """How one pod failed."""

    time: str
    exit_code: int
    reason: str
    message: str
    last_checkpoint: int | None


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
    return Child(
        name=metadata["name"],
        uid=metadata["uid"],
        stage=metadata["labels"][STAGE_LABEL],
        attempt=int(metadata["labels"][ATTEMPT_LABEL]),
        input_hash=annotations.get(INPUT_HASH_ANNOTATION, ""),
        fingerprint=annotations.get(FINGERPRINT_ANNOTATION, ""),
        rendering=annotations.get(RENDERING_ANNOTATION, ""),
        state=state,
        reason=end.reason if end else reason,
        message=end.message if end else (success.message if success else message),
        # Pods that vanished before anybody saw their exit codes were taken away, not broken.
        exit_code=end.exit_code if end else (_SIGKILL if state == "Failed" else None),
        last_checkpoint=end.last_checkpoint if end else (success.last_checkpoint if success else None),
        start_time=_time(job.get("status", {}).get("startTime"))
        if any(_is_running(pod) or _succeeded(pod) for pod in pods) or end or success
        else None,
        end_time=_time(_finish(job, end)),
    )


def leftover_of(pods: list[Object]) -> Child:
    """Describe an attempt whose PyTorchJob is gone while pods of it still end."""
    labels = pods[0]["metadata"]["labels"]
    stage, attempt = labels[STAGE_LABEL], int(labels[ATTEMPT_LABEL])
    name = pods[0]["metadata"]["name"].rsplit("-", 2)[0]
    return Child(name, "", stage, attempt, "", "", "Stopping", message=_ending_message(pods))


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
    replicas = job["spec"]["pytorchReplicaSpecs"].values()
    wanted = sum(replica.get("replicas", 1) for replica in replicas)
    for pod in pods:
        said = _why_pending(pod)
        if said:
            return "Pending", *said
    if not pods:
        # Nothing that was not said when the attempt was made: it is not worth a write.
        return "Pending", "Starting", ""
    # A pod that has ended its part already was running before.
    running = sum(_is_running(pod) or _succeeded(pod) for pod in pods)
    if running >= wanted:
        return None
    return "Pending", "Starting", f"{running} of {wanted} pods run"


def _why_pending(pod: Object) -> tuple[str, str] | None:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _CANNOT_PULL:
            return (
                "ImagePullBackOff",
                f"{name} cannot pull {container.get('image')}: {message or reason}; check the image and its pull secret",
            )
        if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            return reason, f"{name} cannot start: {message}"
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = condition.get("message", "")
            claim = "persistentvolumeclaim" in message.lower()
            return ("ClaimNotReady" if claim else condition.get("reason", "Unschedulable")), f"{name}: {message}"
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
    # A peer that was asked to stop, or was killed with the rest, tells less than the one that broke.
    return min(ends, key=lambda end: (end.exit_code in (75, 143), end.time), default=None)


def _end(pod: Object) -> _End | None:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    disruption = next((known for known in status.get("conditions", []) if known["type"] == "DisruptionTarget"), None)
    terminated = _terminated(pod)
    time = (terminated or {}).get("finishedAt") or ""
    if status.get("reason") == "Evicted" or (disruption and disruption["status"] == "True"):
        why = status.get("message") or (disruption or {}).get("message") or ""
        reason = "Evicted" if status.get("reason") == "Evicted" else (disruption or {}).get("reason") or "Disrupted"
        return _End(time, _SIGKILL, reason, f"{name} was taken away: {why}", _termination(terminated).last_checkpoint)
    if terminated is None:
        return (
            _End(
                time,
                _SIGKILL,
                status.get("reason") or "Lost",
                f"{name} failed: {status.get('message') or 'no reason given'}",
                None,
            )
            if _failed(pod)
            else None
        )
    if terminated.get("reason") == "OOMKilled":
        message = f"{name} used more than its memory limit; raise compute.memory, or lower microBatchSize or maxLength"
        return _End(time, _SIGKILL, OUT_OF_MEMORY, message, _termination(terminated).last_checkpoint)
    said = _termination(terminated)
    return _End(time, terminated["exitCode"], said.reason, f"{name}: {said.message}", said.last_checkpoint)


def _success(pods: list[Object]) -> Termination | None:
    found = [_termination(terminated) for terminated in map(_terminated, pods) if terminated and terminated["exitCode"] == 0]
    return found[0] if found else None


def _terminated(pod: Object) -> Object | None:
    for container in pod.get("status", {}).get("containerStatuses", []):
        if container["name"] == "pytorch":
            ended: Object | None = container.get("state", {}).get("terminated")
            return ended
    return None


def _termination(terminated: Object | None) -> Termination:
    """Read what the trainer wrote to its termination log, or say what is known without it."""
    code = (terminated or {}).get("exitCode", _SIGKILL)
    text = (terminated or {}).get("message", "")
    try:
        return Termination.model_validate_json(text)
    except ValidationError:
        killed = code > 128
        reason = "Killed" if killed else ((terminated or {}).get("reason") or "Failed")
        message = f"killed by signal {code - 128}" if killed else f"ended with exit code {code}"
        last_line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        return Termination(exit_code=code, reason=reason, message=f"{message}: {last_line}" if last_line else message)


def _condition_message(job: Object, kind: str) -> str:
    return next((known.get("message", "") for known in job.get("status", {}).get("conditions", []) if known["type"] == kind), "")


def _finish(job: Object, end: _End | None) -> str | None:
    completion: str | None = job.get("status", {}).get("completionTime")
    return completion or (end.time if end and end.time else None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
