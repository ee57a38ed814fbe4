"""How pods ended, and which pod's end explains why an attempt failed; pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from alignment_api.exit_codes import OUT_OF_MEMORY, consequence

from alignment_operator.backends.pods import Pod, disruption, has_failed, name_of, terminated, was_disrupted
from alignment_operator.backends.termination import CleanTermination, read_termination

SIGKILL = 137
_ASKED_TO_STOP = (75, 143)


class End(NamedTuple):
    """How one pod ended."""

    time: str
    exit_code: int
    reason: str
    message: str
    last_checkpoint: int | None = None
    model_revision: str | None = None
    is_lost: bool = False
    """The pod was removed from its node, or lost with it."""


def end_of(pod: Pod, container: str) -> End | None:
    """Describe how a pod ended; None while it has not."""
    ended, name = terminated(pod, container), name_of(pod)
    termination = read_termination(ended, SIGKILL)
    kept = termination.last_checkpoint, termination.model_revision
    time = (ended or {}).get("finishedAt") or ""
    if was_disrupted(pod):
        reason, why = _disruption_of(pod)
        return End(time, SIGKILL, reason, f"{name} was removed from its node: {why}", *kept, is_lost=True)
    if ended is None:
        return _end_without_exit_code(pod) if has_failed(pod) else None
    if ended.get("reason") == "OOMKilled":
        message = f"{name} used more than its memory limit; raise compute.memory, or lower microBatchSize or maxLength"
        return End(time, SIGKILL, OUT_OF_MEMORY, message, *kept)
    return End(time, ended["exitCode"], termination.reason, f"{name}: {termination.message}", *kept)


def explaining_end(ends: Iterable[End | None], a_pod_is_lost: bool) -> End | None:
    """Choose the failure that explains the others: the first one, since later ones usually follow from it."""
    failures = [end for end in ends if end is not None and end.exit_code != 0]
    first = min(failures, key=_rank, default=None)
    if first is None or first.is_lost or consequence(first.exit_code, first.reason) != "Application":
        return first
    if not a_pod_is_lost:
        return first
    # A pod that loses a peer fails because of that, often long afterwards and with an exit code of its own.
    message = f"another pod was lost with its node; {first.message}"
    return first._replace(exit_code=SIGKILL, reason="PartnerLost", message=message, is_lost=True)


def success_of(pods: list[Pod], container: str) -> CleanTermination | None:
    """Return what the trainer wrote when it succeeded."""
    ended: list[dict[str, Any]] = [end for pod in pods if (end := terminated(pod, container)) and end["exitCode"] == 0]
    return read_termination(ended[0], 0) if ended else None


def _rank(end: End) -> tuple[bool, bool, bool, str]:
    """Order ends: permanent failures, then lost pods, then crashes, and pods that were asked to stop last."""
    is_permanent = consequence(end.exit_code, end.reason) == "Permanent"
    return not is_permanent, not end.is_lost, end.exit_code in _ASKED_TO_STOP, end.time


def _disruption_of(pod: Pod) -> tuple[str, str]:
    status, condition = pod.get("status", {}), disruption(pod) or {}
    reason = "Evicted" if status.get("reason") == "Evicted" else condition.get("reason") or "Disrupted"
    return reason, status.get("message") or condition.get("message") or ""


def _end_without_exit_code(pod: Pod) -> End:
    status = pod["status"]
    message = f"{name_of(pod)} failed: {status.get('message') or 'no reason given'}"
    return End("", SIGKILL, status.get("reason") or "Lost", message, is_lost=True)
