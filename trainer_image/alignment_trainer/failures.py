"""The ways in which a stage ends without its result, each with the exit code and the reason it is reported under."""

from typing import ClassVar

from alignment_api.exit_codes import DIVERGED, ExitCode


class StageFailure(Exception):
    """A stage ended without its result; the text is one sentence for the user."""

    exit_code: ClassVar[int]
    reason: ClassVar[str]


class BadData(StageFailure):
    """The files a stage reads are not what it needs; trying again would find the same."""

    exit_code = ExitCode.BAD_DATA
    reason = "BadData"


class BadConfiguration(StageFailure):
    """The settings cannot be carried out."""

    exit_code = ExitCode.BAD_CONFIGURATION
    reason = "BadConfiguration"


class Diverged(StageFailure):
    """The numbers left the rails."""

    exit_code = ExitCode.DEFECT
    reason = DIVERGED


class NoUsableCheckpoint(StageFailure):
    """There are checkpoints, and none of them is whole."""

    exit_code = ExitCode.DEFECT
    reason = "NoUsableCheckpoint"


class IncompleteCheckpoint(StageFailure):
    """What the processes wrote of a checkpoint did not come together."""

    exit_code = ExitCode.DEFECT
    reason = "IncompleteCheckpoint"


class Stopped(StageFailure):
    """Somebody asked the stage to stop; it saved what it had."""

    exit_code = ExitCode.STOPPED
    reason = "Stopped"


class PeerLost(StageFailure):
    """Another process of the stage went away; this one can only be started again together with it."""

    exit_code = ExitCode.STOPPED
    reason = "PeerLost"


class WorkerLost(StageFailure):
    """One of the processes that prepare rows was killed."""

    exit_code = ExitCode.DEFECT
    reason = "WorkerLost"


class Unreachable(StageFailure):
    """What a stage reads lies elsewhere, and nobody answers there: no fault of the job, which is tried again later."""

    exit_code = ExitCode.UNREACHABLE
    reason = "Unreachable"
