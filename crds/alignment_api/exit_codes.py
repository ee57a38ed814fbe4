"""Exit codes and reasons with which a training pod ends, and what follows from each."""

from enum import IntEnum
from typing import Literal

from pydantic import Field

from alignment_api.schema import Schema


class ExitCode(IntEnum):
    """Exit codes of the trainer; a code above 128 means that a signal killed it."""

    DONE = 0
    BAD_DATA = 65
    UNAVAILABLE = 69
    """Something outside the job is missing, such as an answer of a server or room on a disk."""
    DEFECT = 70
    STOPPED = 75
    BAD_CONFIGURATION = 78


DIVERGED = "Diverged"
"""Reason with DEFECT when the loss is NaN or has diverged: a retry would repeat it."""

OUT_OF_MEMORY = "OOMKilled"
"""Reason when the pod reached its memory limit: a retry of the same size would be killed again."""

PROCESS_KILLED = "ProcessKilled"
"""Reason with DEFECT when SIGKILL ended a process but not its pod: the host probably ran out of memory."""

DISK_FULL = "DiskFull"
"""Reason with UNAVAILABLE when a volume has no room: operators that do not know it retry by the exit code."""

Consequence = Literal["Permanent", "Application", "Infrastructure"]


class Termination(Schema):
    """What the trainer writes to its termination log; fields of a newer trainer are ignored."""

    model_config = {"extra": "ignore"}

    exit_code: int
    reason: str = Field(max_length=128)
    message: str = Field(max_length=3000)
    step: int | None = None
    last_checkpoint: int | None = None
    model_revision: str | None = Field(default=None, max_length=64)
    warnings: list[str] | None = Field(default=None, description="What the training showed to be questionable, if it succeeded.")
    total_steps: int | None = Field(default=None, description="Optimizer steps or rows in total, if it succeeded.")
    metrics: dict[str, float] | None = Field(default=None, description="Last values of the main metrics, if it succeeded.")


def consequence(exit_code: int, reason: str) -> Consequence:
    """Return whether a failure is final, uses up a retry, or is retried without limit."""
    if exit_code in (ExitCode.BAD_DATA, ExitCode.BAD_CONFIGURATION) or reason in (DIVERGED, OUT_OF_MEMORY):
        return "Permanent"
    if exit_code in (ExitCode.STOPPED, ExitCode.UNAVAILABLE, 128 + 9, 128 + 15):
        return "Infrastructure"
    return "Application"
