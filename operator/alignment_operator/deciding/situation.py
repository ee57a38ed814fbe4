"""What the decision about one stage depends on, and what it consists of; pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from alignment_api.spec.kinds import KINDS
from alignment_api.spec.status import Progress, StageStatus

from alignment_operator.deciding.observation import UNENDED, Child, Pulse, Report
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.deciding.turns import Turn
from alignment_operator.settings import Settings

Halt = Literal["Suspended", "DeadlineExceeded"]
"""Why no stage of a job may run."""


@dataclass(frozen=True)
class JobSituation:
    """What all stages of a job share."""

    report: Report
    halt: Halt | None
    refusal: str | None
    """Why the newest edit of the spec cannot run."""
    renewed: bool
    """Whether the spec was edited since the status was written."""
    settings: Settings
    now: datetime


@dataclass(frozen=True)
class Situation:
    """All that the decision about a stage depends on."""

    job: JobSituation
    run: StageRun
    previous: StageStatus | None
    """The stage's status as the operator last wrote it."""
    children: list[Child]
    turn: Turn
    is_republished: bool = False
    """Whether an edit asks for other copies or limits of what the stage has exported."""

    @property
    def pulse(self) -> Pulse | None:
        """Return the last answer of the stage's pod, of whatever attempt."""
        return self.job.report.pulses.get(self.run.stage.name)

    @property
    def progress(self) -> Progress | None:
        """Return the stage's progress, unless an attempt before the newest one reported it."""
        pulse, previous = self.pulse, self.previous
        if pulse and previous and pulse.attempt < previous.attempts:
            return None
        return self.job.report.stages.get(self.run.stage.name)

    @property
    def writes_rows(self) -> bool:
        """Return whether the steps of the stage are rows, each of which is kept when it is written."""
        return KINDS[self.run.stage.kind].leaves in ("Rows", "Report")

    @property
    def exports(self) -> bool:
        """Return whether the stage writes a model for serving."""
        return KINDS[self.run.stage.kind].leaves == "Export"

    @property
    def measures(self) -> bool:
        """Return whether the stage measures models."""
        return KINDS[self.run.stage.kind].leaves == "Report"

    @property
    def stall_timeout_seconds(self) -> int | None:
        """Return after how many seconds without progress the stage is restarted."""
        restart = self.run.spec.restart
        return restart.stall_timeout_seconds if restart else None


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
