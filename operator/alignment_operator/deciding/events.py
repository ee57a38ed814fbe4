"""Which Kubernetes Events the operator posts when a status changes; pure."""

import hashlib
from datetime import datetime
from typing import Any, NamedTuple

from alignment_api.names import API_VERSION, KIND
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, StageStatus

_MESSAGE_MAXIMUM = 1024
# Reasons for which a stage is pending although nothing is wrong.
_AS_USUAL = (None, "Starting", "PullingImage")
_COMPONENT = "alignment-operator"


class NewEvent(NamedTuple):
    """One Event to post."""

    type: str
    reason: str
    message: str


def new_events(old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> list[NewEvent]:
    """Return the Events for a change of status; there are none if nothing has changed."""
    before = {stage.name: stage for stage in (old.stages if old else None) or []}
    found = [event for stage in new.stages or [] for event in _of_stage(before.get(stage.name), stage)]
    if new.phase != "Failed":
        # Otherwise the Event about the job says it.
        found += [event for stage in new.stages or [] for event in _of_failure(before.get(stage.name), stage)]
    phase = old.phase if old else None
    if new.phase != phase:
        if new.phase == "Succeeded":
            found.append(NewEvent("Normal", "Completed", new.message or "the job succeeded"))
        if new.phase == "Failed":
            found.append(NewEvent("Warning", new.reason or "Failed", f"the job failed: {new.message}"))
        if new.phase == "Suspended":
            found.append(NewEvent("Normal", "Suspended", new.message or "suspended"))
    return found


def _of_stage(old: StageStatus | None, new: StageStatus) -> list[NewEvent]:
    found = []
    # An attempt that is stopped before it started has the state "Running" only until its pods are gone.
    if (
        new.state == "Running"
        and new.reason != "Suspending"
        and (old is None or old.state != "Running" or old.child != new.child)
    ):
        found.append(NewEvent("Normal", "StageStarted", f"{new.name}: attempt {new.attempts} is running"))
    if new.state == "Succeeded" and (old is None or old.state != "Succeeded"):
        found.append(NewEvent("Normal", "StageSucceeded", f"{new.name}: {new.output}"))
    if new.state == "Restarting" and new.failed_attempt and (old is None or old.failed_attempt != new.failed_attempt):
        found.append(NewEvent("Warning", new.reason or "Failed", f"{new.name}: {new.message}"))
    if new.state == "Pending" and new.reason not in _AS_USUAL and (old is None or old.reason != new.reason):
        found.append(NewEvent("Warning", new.reason or "Pending", f"{new.name}: {new.message}"))
    return found


def _of_failure(old: StageStatus | None, new: StageStatus) -> list[NewEvent]:
    """Return the Event for a stage that failed while other stages of its job continue."""
    if new.state != "Failed" or (old is not None and old.state == "Failed"):
        return []
    return [
        NewEvent("Warning", new.reason or "Failed", f"{new.name} failed, and what does not build on it goes on: {new.message}")
    ]


def event_object(job: AlignmentJob, event: NewEvent, now: datetime) -> dict[str, Any]:
    """Return an Event that is named after a hash of its content, so that posting it twice creates one object."""
    message = event.message[:_MESSAGE_MAXIMUM]
    identity = hashlib.sha256(f"{job.metadata.uid}{event.reason}{message}".encode()).hexdigest()[:16]
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.metadata.name,
        "namespace": job.metadata.namespace,
        "uid": job.metadata.uid,
    }
    return {
        "metadata": {"name": f"{job.metadata.name}.{identity}", "namespace": job.metadata.namespace},
        "involvedObject": about,
        "type": event.type,
        "reason": event.reason,
        "message": message,
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
