"""What the decision about one stage depends on, and what it consists of; pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from alignment_api.spec.status import Progress, StageStatus

from alignment_operator.deciding.observation import UNENDED, Child, Pulse
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings

Halt = Literal["Suspended", "DeadlineExceeded"]
"""Why no stage of a job may run."""


@dataclass(frozen=True)
class Situation:
    """All that the decision about a stage depends on."""

    run: StageRun
    previous: StageStatus | None
    """The stage's status as the operator last wrote it."""
    children: list[Child]
    progress: Progress | None
    pulse: Pulse | None
    asked_since: datetime | None
    unheard: str | None
    silence: str | None
    may_run: bool
    """Whether all earlier stages have succeeded."""
    halt: Halt | None
    refusal: str | None
    """Why the newest edit of the spec cannot run."""
    renewed: bool
    """Whether the spec was edited since the status was written."""
    settings: Settings
    now: datetime


@dataclass(frozen=True)
class StageDecision:
    """The status to write, the attempts that should exist, and when to look again."""

    status: StageStatus
    attempts: list[int]
    requeue_after_seconds: float | None = None


def changed(record: StageStatus, state: str, reason: str | None, message: str | None, **others: object) -> StageStatus:
    """Return a stage's status with another state."""
    return record.model_copy(update={"state": state, "reason": reason, "message": message, **others})


def unended_child(situation: Situation) -> Child | None:
    """Return the attempt that still runs, waits or stops."""
    return next((child for child in situation.children if child.state in UNENDED), None)
