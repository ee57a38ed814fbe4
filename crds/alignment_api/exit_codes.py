"""How a training pod says what became of it: the trainer exits with these codes, the operator decides by them."""

from enum import IntEnum
from typing import Literal

from pydantic import Field

from alignment_api.schema import Schema


class ExitCode(IntEnum):
    """Exit codes of the trainer; a code above 128 means that a signal ended it."""

    DONE = 0
    BAD_DATA = 65
    UNREACHABLE = 69
    DEFECT = 70
    STOPPED = 75
    BAD_CONFIGURATION = 78


DIVERGED = "Diverged"
"""The reason given with DEFECT when the numbers left the rails: trying again would only repeat it."""

OUT_OF_MEMORY = "OOMKilled"
"""The reason given when the pod's memory limit was reached: the same size would only be killed again."""

PROCESS_KILLED = "ProcessKilled"
"""The reason given with DEFECT when SIGKILL ended a process in a pod that lives on: the host's memory probably ran out."""

Consequence = Literal["Permanent", "Application", "Infrastructure"]


class Termination(Schema):
    """What the trainer writes to its termination log."""

    exit_code: int
    reason: str = Field(max_length=128)
    message: str = Field(max_length=3000)
    step: int | None = None
    last_checkpoint: int | None = None
    model_revision: str | None = Field(default=None, max_length=64)


def consequence(exit_code: int, reason: str) -> Consequence:
    """Say whether a failure is final, uses up the budget of retries, or is nobody's fault."""
    if exit_code in (ExitCode.BAD_DATA, ExitCode.BAD_CONFIGURATION) or reason in (DIVERGED, OUT_OF_MEMORY):
        return "Permanent"
    if exit_code in (ExitCode.STOPPED, ExitCode.UNREACHABLE, 128 + 9, 128 + 15):
        return "Infrastructure"
    return "Application"
