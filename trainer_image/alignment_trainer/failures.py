"""How a stage fails: one exception for each reason, with its exit code."""

from typing import ClassVar

from alignment_api.exit_codes import DISK_FULL, DIVERGED, ExitCode


class StageFailure(Exception):
    """A stage ended without its result; the message is one sentence for the user."""

    exit_code: ClassVar[int]
    reason: ClassVar[str]


class RowFault(ValueError):
    """One row cannot be used; the message may repeat words of the row, so these say nothing about the machine."""


class BadData(StageFailure):
    """The files that a stage reads are unusable; a retry would fail in the same way."""

    exit_code = ExitCode.BAD_DATA
    reason = "BadData"


class BadConfiguration(StageFailure):
    """The settings cannot be carried out."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "BadConfiguration"


class Diverged(StageFailure):
    """The loss or a gradient became NaN or infinite, or the loss stayed far above its initial value."""

    exit_code = ExitCode.DEFECT
    reason = DIVERGED


class NoUsableCheckpoint(StageFailure):
    """Checkpoints exist, but none of them is complete."""

    exit_code = ExitCode.DEFECT
    reason = "NoUsableCheckpoint"


class IncompleteCheckpoint(StageFailure):
    """The first process does not find all files that the other processes wrote of a checkpoint."""

    exit_code = ExitCode.DEFECT
    reason = "IncompleteCheckpoint"


class IncompleteAnswers(StageFailure):
    """The first process does not find all answers that the other processes drew."""

    exit_code = ExitCode.DEFECT
    reason = "IncompleteAnswers"


class Stopped(StageFailure):
    """The stage stopped on request, and saved a checkpoint if it had trained."""

    exit_code = ExitCode.STOPPED
    reason = "Stopped"


class PeerLost(StageFailure):
    """Another process of the stage ended unexpectedly; all of them must start again together."""

    exit_code = ExitCode.STOPPED
    reason = "PeerLost"


class WorkerLost(StageFailure):
    """One of the processes that prepare rows was killed."""

    exit_code = ExitCode.DEFECT
    reason = "WorkerLost"


class Unreachable(StageFailure):
    """A server that the stage reads from does not answer; the stage is retried later, since the job is not at fault."""

    exit_code = ExitCode.UNAVAILABLE
    reason = "Unreachable"


class KeyRefused(StageFailure):
    """A server refuses the stage's key, or demands one that the stage does not have."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "KeyRefused"


class BudgetSpent(StageFailure):
    """The budget does not allow another request; what was answered is kept, and a higher budget continues."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "BudgetSpent"


class StaleStudent(StageFailure):
    """The student's server still serves the weights of the round before; the stage is retried until it serves the new ones."""

    exit_code = ExitCode.UNAVAILABLE
    reason = "StaleStudent"


class DiskFull(StageFailure):
    """A volume has no room for what the stage writes; the stage is retried until there is room."""

    exit_code = ExitCode.UNAVAILABLE
    reason = DISK_FULL


class SharedMemoryFull(StageFailure):
    """The memory that the processes of a pod share is full; waiting does not change that."""

    exit_code = ExitCode.DEFECT
    reason = "SharedMemoryFull"


class TooFewRows(StageFailure):
    """Too many prompts have no usable answer, since requests failed or judges gave no verdict; a retry asks for those."""

    exit_code = ExitCode.DEFECT
    reason = "TooFewRows"


class UnusableAnswers(StageFailure):
    """All requests were answered, and what was answered gives no row, or too few; a retry would read the same answers."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "UnusableAnswers"


class BrokenExport(StageFailure):
    """The written folder cannot be served; a retry writes it again."""

    exit_code = ExitCode.DEFECT
    reason = "BrokenExport"


class LacksMemory(StageFailure):
    """A process that rounds or proves a model needs more memory than there is; a folder that is written is kept."""

    exit_code = ExitCode.DEFECT
    reason = "OutOfMemory"


class UnfaithfulExport(StageFailure):
    """The written model differs from the original by more than the job allows; a retry would write the same."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "UnfaithfulExport"
