"""The state of one pod: whether it runs, why it does not start, whether it was lost; pure."""

from datetime import datetime
from typing import Any, NamedTuple

Pod = dict[str, Any]

_CANNOT_PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CANNOT_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")


class Wait(NamedTuple):
    """Why a pod does not run yet."""

    reason: str
    sentence: str
    is_for_a_node: bool = False


def name_of(pod: Pod) -> str:
    """Return the pod's name."""
    return str(pod["metadata"]["name"])


def is_running(pod: Pod) -> bool:
    """Check whether a pod runs and is not being deleted."""
    return _phase(pod) == "Running" and not pod["metadata"].get("deletionTimestamp")


def has_node(pod: Pod) -> bool:
    """Check whether a pod is on a node, where it may still wait."""
    is_scheduled = any(known["type"] == "PodScheduled" and known["status"] == "True" for known in _conditions(pod))
    return is_scheduled or _phase(pod) in ("Running", "Succeeded", "Failed")


def has_succeeded(pod: Pod) -> bool:
    """Check whether all containers of a pod succeeded."""
    return _phase(pod) == "Succeeded"


def has_failed(pod: Pod) -> bool:
    """Check whether a pod failed."""
    return _phase(pod) == "Failed"


def started_time(pod: Pod, container: str) -> datetime | None:
    """Return when a pod's container started."""
    state = _container_state(pod, container)
    return time_from((state.get("running") or state.get("terminated") or {}).get("startedAt"))


def terminated(pod: Pod, container: str) -> dict[str, Any] | None:
    """Return how a pod's container ended; None while it has not."""
    ended: dict[str, Any] | None = _container_state(pod, container).get("terminated")
    return ended


def why_pending(pod: Pod) -> Wait | None:
    """Return what keeps a pod from starting, if its status shows something."""
    status = pod.get("status", {})
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        wait = _container_wait(container)
        if wait:
            return wait
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = condition.get("message", "")
            if "persistentvolumeclaim" in message.lower():
                return Wait("ClaimNotReady", message)
            return Wait(condition.get("reason", "Unschedulable"), message, is_for_a_node=True)
    return None


def was_disrupted(pod: Pod) -> bool:
    """Check whether Kubernetes removed a pod from its node: evicted, preempted, or deleted with the node."""
    status = pod.get("status", {})
    return status.get("reason") == "Evicted" or (disruption(pod) or {}).get("status") == "True"


def disruption(pod: Pod) -> dict[str, Any] | None:
    """Return the condition in which Kubernetes writes why it removes a pod."""
    return next((known for known in _conditions(pod) if known["type"] == "DisruptionTarget"), None)


def was_lost(pod: Pod, container: str) -> bool:
    """Check whether a pod was removed from its node, or its node stopped answering, whatever its containers did."""
    gone_silent = terminated(pod, container) is None and _node_is_silent(pod)
    return was_disrupted(pod) or gone_silent or pod.get("status", {}).get("reason") == "NodeLost"


def stopping_message(pods: list[Pod]) -> str:
    """Describe what an attempt that is being deleted still waits for."""
    if lost := silent_node_message(pods):
        return lost
    return f"waiting for {len(pods)} pod{'s' if len(pods) != 1 else ''} to save and exit" if pods else "being deleted"


def silent_node_message(pods: list[Pod]) -> str | None:
    """Name the pods whose nodes do not answer; None if all answer."""
    lost = [pod for pod in pods if pod.get("status", {}).get("reason") == "NodeLost" or _node_is_silent(pod)]
    if not lost:
        return None
    names = ", ".join(map(name_of, lost))
    return f"waiting for {names} on a node that does not answer; delete the node object if it will not come back"


def time_from(text: str | None) -> datetime | None:
    """Read a time of a status; None if it is missing or malformed, since others may write to that status too."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _phase(pod: Pod) -> str | None:
    phase: str | None = pod.get("status", {}).get("phase")
    return phase


def _conditions(pod: Pod) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = pod.get("status", {}).get("conditions", [])
    return conditions


def _container_state(pod: Pod, container: str) -> dict[str, Any]:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    state: dict[str, Any] = next((known.get("state", {}) for known in statuses if known["name"] == container), {})
    return state


def _container_wait(container: dict[str, Any]) -> Wait | None:
    waiting = container.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _CANNOT_PULL:
        advice = f"cannot pull {container.get('image')}: {message or reason}; check the image and its pull secret"
        return Wait("ImagePullBackOff", advice)
    if reason in _CANNOT_START:
        return Wait(reason, f"cannot start: {message}")
    return None


def _node_is_silent(pod: Pod) -> bool:
    return any(map(_was_marked_unready, _conditions(pod))) or any(
        condition["type"] == "DisruptionTarget" and condition.get("reason") == "DeletionByTaintManager"
        for condition in _conditions(pod)
    )


def _was_marked_unready(condition: dict[str, Any]) -> bool:
    """Check whether the node's controller wrote this instead of a silent kubelet, which would have given a reason."""
    if condition["type"] != "Ready":
        return False
    return condition.get("reason") == "NodeStatusUnknown" or (condition["status"] == "False" and not condition.get("reason"))
