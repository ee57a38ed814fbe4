"""What the operator observes of a job, in the same terms for pods and processes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from alignment_api.spec.status import Progress, TrackingStatus

ChildState = Literal["Pending", "Queued", "Running", "Stopping", "Succeeded", "Failed"]

LIVE = ("Pending", "Queued", "Running")
"""States of an attempt that continues unless it is deleted."""

NODE_NOT_READY = "NodeNotReady"
"""Reason of a running attempt whose pods, or some of them, are on a node that does not answer."""

UNENDED = (*LIVE, "Stopping")
"""States of an attempt that still has pods or a process, or waits for them."""


@dataclass(frozen=True)
class Child:
    """One attempt of a stage, as last observed."""

    name: str
    uid: str
    stage: str
    attempt: int
    input_hash: str
    fingerprint: str
    state: ChildState
    rendering: str = ""
    """Hash of what the operator's settings contribute; if it changes, a child is replaced only before it has started."""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    last_checkpoint: int | None = None
    model_revision: str | None = None
    warnings: tuple[str, ...] | None = None
    """What its training showed to be questionable; None if it has not succeeded, or reports none."""
    progress: Progress | None = None
    """How far it was at its end; None if it has not succeeded, or does not say so itself."""
    start_time: datetime | None = None
    end_time: datetime | None = None


class FirstPod(NamedTuple):
    """The running pod that answers for one attempt of a stage."""

    job_uid: str
    stage: str
    attempt: int
    address: str


@dataclass(frozen=True)
class Pulse:
    """The last answer of an attempt's pod to the operator's heartbeat request."""

    attempt: int
    heard_time: datetime
    """When the pod last answered."""
    alive_time: datetime
    """When its processes last did any work."""
    has_stepped: bool = False
    """Whether this attempt has finished a training step; until then any work counts as progress."""
    advanced_time: datetime | None = None
    """When a step, or work other than steps, last advanced."""
    doing: str | None = None
    """Its work other than training steps, and how far that is: "loading weights: 3 of 15 GB"."""
    last_checkpoint: int | None = None
    model_revision: str | None = None
    warnings: tuple[str, ...] | None = None
    """What its training shows to be questionable so far; None if its trainer is of a version without warnings."""


@dataclass(frozen=True)
class Report:
    """What is known about the progress of a job."""

    stages: dict[str, Progress] = field(default_factory=dict)
    """By stage, the newest progress that its pod or MLflow reported."""
    run_ids: dict[str, str] = field(default_factory=dict)
    tracking: TrackingStatus | None = None
    silence: str | None = None
    """Why MLflow reports nothing at present; that is no lack of progress."""
    pulses: dict[str, Pulse] = field(default_factory=dict)
    """By stage, the last answer of its pod; missing if the pod never answered."""
    asked_since: dict[str, datetime] = field(default_factory=dict)
    """By stage, since when this operator sends requests to its running pod; missing if it never sent one."""
    unheard: dict[str, str] = field(default_factory=dict)
    """By stage, why its running pod did not answer the last request: "its pod does not answer at 10.0.0.1:8790 (...)"."""


class Key(NamedTuple):
    """Identifies a job."""

    namespace: str
    name: str
