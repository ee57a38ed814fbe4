"""How the processes of a stage ended, and the exit code and sentence that follow from it; without torch."""

import json
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.exit_codes import PROCESS_KILLED, ExitCode, Termination
from alignment_api.files import write_whole
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import loads_model
from alignment_api.spec.stages import Stage

from alignment_trainer.failures import PeerLost, SharedMemoryFull, StageFailure, Stopped
from alignment_trainer.process.termination import shortened
from alignment_trainer.workspace.full_disk import disk_failure

OUTCOMES_VARIABLE = "ALIGNMENT_OUTCOMES"
LAUNCHER_FILE = "launcher.json"
_LAUNCHER_OUTCOME_FILE = "launcher-outcome.json"
_RESERVE_FILE = "reserve"
_RESERVED_BYTES = 256 << 10
_MESSAGE_LIMIT = 2900
"""Less than the kubelet keeps, so that there is room for the mark of omitted text."""


class RankOutcome(NamedTuple):
    """How a rank ended, as the rank itself reported it."""

    exit_code: int
    reason: str
    message: str


class RankFailure(NamedTuple):
    """How a rank failed, as the launcher saw it; a negative code is the signal that killed it."""

    rank: int
    exit_code: int


def reserve_room(folder: Path) -> None:
    """Write a file that is removed if the volume is full when a process reports how it ended."""
    (folder / _RESERVE_FILE).write_bytes(os.urandom(_RESERVED_BYTES))


def record_outcome(folder: Path, rank: int, outcome: RankOutcome) -> None:
    """Write how a rank ended."""
    _record(folder / f"rank-{rank}.json", outcome._asdict())


def record_failures(folder: Path, failures: list[RankFailure]) -> None:
    """Write which ranks the launcher saw fail, the earliest first."""
    _record(folder / LAUNCHER_FILE, [failure._asdict() for failure in failures])


def record_launcher_outcome(folder: Path, outcome: RankOutcome) -> None:
    """Write why the launcher ended before any rank started."""
    _record(folder / _LAUNCHER_OUTCOME_FILE, outcome._asdict())


def _record(path: Path, report: Any) -> None:
    try:
        write_whole(path, json.dumps(report))
    except OSError:
        path.with_name(_RESERVE_FILE).unlink(missing_ok=True)
        write_whole(path, json.dumps(report))


def failure_of(error: StageFailure) -> RankOutcome:
    """Turn a failure with a sentence into an outcome."""
    return RankOutcome(int(error.exit_code), error.reason, shortened(str(error), _MESSAGE_LIMIT))


def explained(error: Exception, workspace: Path) -> RankOutcome | None:
    """Return the outcome of an error that has a sentence for users: a failure of a stage, or one that a full volume caused."""
    failure = disk_failure(error, workspace) or error
    return failure_of(failure) if isinstance(failure, StageFailure) else None


def lowered_for_memory(stage: Stage) -> str:
    """Return which settings of a stage make its processes smaller; empty if none does."""
    if KINDS[stage.kind].trains:
        return "compute.microBatchSize, maxLength or processesPerNode"
    return "compute.processesPerNode" if loads_model(stage) else ""


def termination_of(folder: Path, launcher_code: int, stop_requested: bool, lowered: str) -> Termination:
    """Decide the exit code and sentence of a stage from the files that the launcher and the ranks wrote."""
    if launcher_code == 0:
        return Termination(exit_code=0, reason="Completed", message="the stage is done")
    failures, outcomes = _failures(folder), _outcomes(folder)
    reported = [outcomes[failure.rank] for failure in failures if failure.rank in outcomes]
    reported += [outcome for rank, outcome in sorted(outcomes.items()) if outcome not in reported]
    cause = next((outcome for outcome in reported if outcome.reason not in (PeerLost.reason, Stopped.reason)), None)
    if cause and not stop_requested:
        return termination_from(cause)
    killed = next((failure for failure in failures if failure.exit_code < 0 and failure.exit_code != -signal.SIGTERM), None)
    if killed and not (stop_requested and reported):
        return _killed(killed, stop_requested, lowered)
    stopped = next((outcome for outcome in reported if outcome.reason == Stopped.reason), None)
    if stopped:
        return termination_from(stopped)
    if stop_requested:
        return Termination(
            exit_code=ExitCode.STOPPED, reason=Stopped.reason, message="stopped on request, with nothing new to save"
        )
    reported += _launcher_outcome(folder)
    if reported:
        return termination_from(reported[0])
    return _unexplained(launcher_code, failures, lowered)


def _failures(folder: Path) -> list[RankFailure]:
    path = folder / LAUNCHER_FILE
    return [RankFailure(**failure) for failure in json.loads(path.read_text())] if path.exists() else []


def _outcomes(folder: Path) -> dict[int, RankOutcome]:
    return {
        int(path.stem.removeprefix("rank-")): RankOutcome(**json.loads(path.read_text())) for path in folder.glob("rank-*.json")
    }


def _launcher_outcome(folder: Path) -> list[RankOutcome]:
    path = folder / _LAUNCHER_OUTCOME_FILE
    return [RankOutcome(**json.loads(path.read_text()))] if path.exists() else []


def termination_from(outcome: RankOutcome) -> Termination:
    """Return the termination of a reported outcome, with a message that fits into it."""
    return Termination(exit_code=outcome.exit_code, reason=outcome.reason, message=shortened(outcome.message, _MESSAGE_LIMIT))


def _killed(failure: RankFailure, stop_requested: bool, lowered: str) -> Termination:
    number, who = -failure.exit_code, f"process {failure.rank}"
    if number == signal.SIGKILL and not stop_requested:
        return _out_of_host_memory(who, lowered)
    if number == signal.SIGBUS:
        message = f"{who} was killed by SIGBUS: probably /dev/shm, the memory that the processes share, is full"
        advice = "raise compute.sharedMemory"
        return Termination(exit_code=ExitCode.DEFECT, reason=SharedMemoryFull.reason, message=f"{message}; {advice}")
    if number == signal.SIGABRT:
        message = (
            f"{who} was aborted (SIGABRT), as NCCL does when a peer does not answer: probably a process on another node or the "
            f"network between the nodes failed; the log above shows what it waited for"
        )
        return Termination(exit_code=128 + number, reason="Aborted", message=message)
    hint = "; it did not stop in time" if number == signal.SIGKILL else ""
    return Termination(
        exit_code=128 + number, reason="Killed", message=f"{who} was killed by {signal.Signals(number).name}{hint}"
    )


def _out_of_host_memory(who: str, lowered: str) -> Termination:
    """Explain a SIGKILL that this pod survived: deleting a pod would have ended the supervisor too."""
    smaller = f"lower {lowered}, or " if lowered else ""
    return Termination(
        exit_code=ExitCode.DEFECT,
        reason=PROCESS_KILLED,
        message=f"{who} was killed (SIGKILL), but not the supervisor beside it: probably the machine ran out of memory; "
        f"{smaller}raise compute.memory, so that a pod gets a node with enough",
    )


def _unexplained(launcher_code: int, failures: list[RankFailure], lowered: str) -> Termination:
    if launcher_code == -signal.SIGKILL:
        return _out_of_host_memory("the launcher of the processes", lowered)
    if launcher_code < 0:
        number = -launcher_code
        return Termination(
            exit_code=128 + number, reason="Killed", message=f"the launcher was killed by {signal.Signals(number).name}"
        )
    which = f"process {failures[0].rank} ended with code {failures[0].exit_code}" if failures else "the launcher failed"
    return Termination(
        exit_code=ExitCode.DEFECT, reason="Defect", message=f"{which} and reported no reason; the log above has the traceback"
    )
