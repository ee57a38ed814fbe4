"""What can be seen of a job, in the same words for pods and for processes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from alignment_api.spec.status import Progress, TrackingStatus

ChildState = Literal["Pending", "Queued", "Running", "Stopping", "Succeeded", "Failed"]

GOING_ON = ("Pending", "Queued", "Running")
"""An attempt that goes on unless it is deleted."""

UNENDED = (*GOING_ON, "Stopping")
"""An attempt of which something is still there."""


@dataclass(frozen=True)
class Child:
    """One attempt of a stage, as it was last seen."""

    name: str
    uid: str
    stage: str
    attempt: int
    input_hash: str
    fingerprint: str
    state: ChildState
    rendering: str = ""
    """What the operator's own settings made of it; another one replaces a child only while that has not started."""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    last_checkpoint: int | None = None
    model_revision: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


class FirstPod(NamedTuple):
    """The running pod that speaks for one attempt of a stage."""

    job_uid: str
    stage: str
    attempt: int
    address: str


@dataclass(frozen=True)
class Pulse:
    """What the pod of an attempt last answered itself, when it was asked how it does."""

    attempt: int
    heard_time: datetime
    """When it last answered."""
    alive_time: datetime
    """When its processes were last seen to work."""
    has_stepped: bool = False
    """Whether this attempt has trained a step: until then any work counts as progress."""
    advanced_time: datetime | None = None
    """When a step or what it does beside steps last advanced."""
    doing: str | None = None
    """What it does beside training steps, and how far that is: "loading weights: 3 of 15 GB"."""
    last_checkpoint: int | None = None
    model_revision: str | None = None


@dataclass(frozen=True)
class Report:
    """What is known of how far a job is."""

    stages: dict[str, Progress] = field(default_factory=dict)
    """Per stage, the newest word of any channel."""
    run_ids: dict[str, str] = field(default_factory=dict)
    tracking: TrackingStatus | None = None
    silence: str | None = None
    """Why nothing can be known at present: not to be taken for a lack of progress."""
    pulses: dict[str, Pulse] = field(default_factory=dict)
    """Per stage, what its own pod said last; none where it was never heard."""
    asked_since: dict[str, datetime] = field(default_factory=dict)
    """Per stage, since when its running pod is asked again and again; none where this operator never asked."""
    unheard: dict[str, str] = field(default_factory=dict)
    """Per stage, why its running pod did not answer when it was last asked: "its pod does not answer at 10.0.0.1:8790 (...)"."""


class Key(NamedTuple):
    """Which job."""

    namespace: str
    name: str
