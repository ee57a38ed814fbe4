"""What became of the processes of a stage, and the exit code and sentence that this means; without torch."""

import json
import signal
from pathlib import Path
from typing import NamedTuple

from alignment_api.exit_codes import ExitCode, Termination

from alignment_trainer.failures import PeerLost, StageFailure, Stopped
from alignment_trainer.files import write_whole

OUTCOMES_VARIABLE = "ALIGNMENT_OUTCOMES"
LAUNCHER_FILE = "launcher.json"
_MESSAGE_LIMIT = 3000


class RankOutcome(NamedTuple):
    """What a rank itself said at its end."""

    exit_code: int
    reason: str
    message: str


class RankFailure(NamedTuple):
    """How the launcher saw a rank fail; a negative code is the signal that killed it."""

    rank: int
    exit_code: int


def record_outcome(folder: Path, rank: int, outcome: RankOutcome) -> None:
    """Write down how a rank ended."""
    write_whole(folder / f"rank-{rank}.json", json.dumps(outcome._asdict()))


def record_failures(folder: Path, failures: list[RankFailure]) -> None:
    """Write down which ranks the launcher saw fail, the first one first."""
    write_whole(folder / LAUNCHER_FILE, json.dumps([failure._asdict() for failure in failures]))


def failure_of(error: StageFailure) -> RankOutcome:
    """Turn a failure with a sentence into an outcome."""
    return RankOutcome(int(error.exit_code), error.reason, str(error)[:_MESSAGE_LIMIT])


def termination_of(folder: Path, launcher_code: int, stop_requested: bool) -> Termination:
    """Decide what a stage's end means from what the launcher and the ranks wrote down."""
    if launcher_code == 0:
        return Termination(exit_code=0, reason="Completed", message="the stage is done")
    failures, outcomes = _failures(folder), _outcomes(folder)
    told = [outcomes[failure.rank] for failure in failures if failure.rank in outcomes]
    told += [outcome for rank, outcome in sorted(outcomes.items()) if outcome not in told]
    telling = next((outcome for outcome in told if outcome.reason not in (PeerLost.reason, Stopped.reason)), None)
    if telling and not stop_requested:
        return _termination(telling)
    killed = next((failure for failure in failures if failure.exit_code < 0 and failure.exit_code != -signal.SIGTERM), None)
    if killed and not (stop_requested and told):
        return _killed(killed)
    stopped = next((outcome for outcome in told if outcome.reason == Stopped.reason), None)
    if stopped:
        return _termination(stopped)
    if stop_requested:
        return Termination(
            exit_code=ExitCode.STOPPED, reason=Stopped.reason, message="stopped on request, with nothing new to save"
        )
    if told:
        return _termination(told[0])
    return _unexplained(launcher_code, failures)


def _failures(folder: Path) -> list[RankFailure]:
    path = folder / LAUNCHER_FILE
    return [RankFailure(**failure) for failure in json.loads(path.read_text())] if path.exists() else []


def _outcomes(folder: Path) -> dict[int, RankOutcome]:
    return {
        int(path.stem.removeprefix("rank-")): RankOutcome(**json.loads(path.read_text())) for path in folder.glob("rank-*.json")
    }


def _termination(outcome: RankOutcome) -> Termination:
    return Termination(exit_code=outcome.exit_code, reason=outcome.reason, message=outcome.message[:_MESSAGE_LIMIT])


def _killed(failure: RankFailure) -> Termination:
    number = -failure.exit_code
    hint = "; often memory ran out: raise compute.memory or lower compute.microBatchSize" if number == signal.SIGKILL else ""
    return Termination(
        exit_code=128 + number,
        reason="Killed",
        message=f"process {failure.rank} was killed by {signal.Signals(number).name}{hint}",
    )


def _unexplained(launcher_code: int, failures: list[RankFailure]) -> Termination:
    if launcher_code < 0:
        number = -launcher_code
        return Termination(
            exit_code=128 + number, reason="Killed", message=f"the launcher was killed by {signal.Signals(number).name}"
        )
    which = f"process {failures[0].rank} ended with code {failures[0].exit_code}" if failures else "the launcher failed"
    return Termination(
        exit_code=ExitCode.DEFECT, reason="Defect", message=f"{which} without saying why; the log above has the traceback"
    )
