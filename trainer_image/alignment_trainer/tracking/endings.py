"""How stages ended, as MLflow says it: a file in each stage's folder, and what follows for the run of the whole job."""

import time
from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.names import DONE_FILE, RUN_CONFIG_FILE
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import building_on, foundations
from pydantic import BaseModel

from alignment_trainer.tracking.record_files import read_record

_ENDING_FILE = "ending.json"
_FINISHED, _RUNNING = "FINISHED", "RUNNING"


class Ending(BaseModel):
    """How the last attempt of a stage ended, as an MLflow status, and when, in milliseconds."""

    status: str
    time: int


def record_ending(stage: Path, status: str) -> None:
    """Write how an attempt ended, so that this or a later process can send it to MLflow."""
    write_whole(stage / _ENDING_FILE, Ending(status=status, time=time.time_ns() // 1_000_000).model_dump_json())


def forget_ending(stage: Path) -> None:
    """Remove the ending of an earlier attempt."""
    (stage / _ENDING_FILE).unlink(missing_ok=True)


def ending_of(stage: Path) -> Ending | None:
    """Read how a stage ended; None if it has not."""
    path, done = stage / _ENDING_FILE, stage / DONE_FILE
    if path.exists():
        return read_record(path, Ending.model_validate_json)
    # The supervisor was killed after the result was written and before the ending was.
    return Ending(status=_FINISHED, time=done.stat().st_mtime_ns // 1_000_000) if done.exists() else None


def job_ending(config: RunConfig, status: str) -> str | None:
    """Return the status of the job's run after a stage has ended with one; None while other stages run or will."""
    # What is in the folders of stages that build on this one is of before.
    later = {stage.name for stage in building_on(config.spec, config.stage)}
    others = {
        stage.name: None if stage.name in later else _state(Path(config.paths.stage).with_name(stage.name))
        for stage in config.spec.stages or []
        if stage.name != config.stage_name
    }
    if _RUNNING in others.values():
        return None
    if status != _FINISHED:
        return status
    failed = {name: state for name, state in others.items() if state not in (None, _FINISHED)}
    below = foundations(config.spec)
    # A person may have removed the folder of a stage since another was made from it; it does not run again.
    used = below[config.stage_name].union(*(below[name] for name, state in others.items() if state is not None))
    if any(state is None and name not in used and not below[name] & failed.keys() for name, state in others.items()):
        return None
    return next(iter(failed.values()), _FINISHED)


def _state(stage: Path) -> str | None:
    """Return the MLflow status of another stage; None if it has not begun."""
    ending = ending_of(stage)
    return ending.status if ending else _RUNNING if (stage / RUN_CONFIG_FILE).exists() else None
