"""Ships the points and samples of a stage's folder to MLflow, each once, and records how much has arrived."""

import json
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from alignment_api.files import flush, write_whole
from alignment_api.journal import Point, read_lines, read_points
from alignment_api.names import DONE_FILE, METRICS_FILE, RUN_CONFIG_FILE, SAMPLES_FILE
from alignment_api.problems import from_validation
from alignment_api.run_config import RunConfig, TrackingTarget
from pydantic import BaseModel, ValidationError

from alignment_trainer.tracking.tracked_runs import TrackedRuns
from alignment_trainer.workspace.environment import read_environment
from alignment_trainer.workspace.samples import read_samples

Model = TypeVar("Model", bound=BaseModel)

_BATCH = 900
_SHIPPED_FILE = "shipped.json"
_ENDING_FILE = "ending.json"


class Ending(BaseModel):
    """How the last attempt of a stage ended, as an MLflow status, and when, in milliseconds."""

    status: str
    time: int


class Shipped(BaseModel):
    """How much has arrived in MLflow, and in which run."""

    run_id: str
    offset: int = 0
    environment: bool = False
    samples: int = 0
    ending: Ending | None = None


def record_ending(stage: Path, status: str) -> None:
    """Write how an attempt ended, so that this or a later process can send it to MLflow."""
    write_whole(stage / _ENDING_FILE, Ending(status=status, time=time.time_ns() // 1_000_000).model_dump_json())


def forget_ending(stage: Path) -> None:
    """Remove the ending of an earlier attempt."""
    (stage / _ENDING_FILE).unlink(missing_ok=True)


def is_shipped(stage: Path) -> bool:
    """Return whether everything that the stage has written has arrived."""
    shipped = _read_shipped(stage)
    if shipped is None:
        return not (stage / METRICS_FILE).exists()
    ending = _ending(stage)
    return (
        next(read_lines(stage / METRICS_FILE, shipped.offset), None) is None
        and shipped.environment == bool(read_environment(stage))
        and shipped.samples == sum(1 for _ in read_samples(stage / SAMPLES_FILE))
        and ending in (None, shipped.ending)
    )


def left_behind(folder: Path) -> list[Path]:
    """Find the stages at or below a folder (a workspace, a job, a stage) whose data has not all arrived."""
    folders = (path.parent for depth in ("", "*/", "*/*/", "*/*/*/") for path in sorted(folder.glob(depth + RUN_CONFIG_FILE)))
    return [stage for stage in folders if not is_shipped(stage)]


def ship_all(stage: Path, tracking: TrackingTarget | None = None) -> None:
    """Ship the rest of a stage that no process works on; to another server than its own if one is given."""
    config = _read(stage / RUN_CONFIG_FILE, lambda text: RunConfig.parse_stored(json.loads(text)))
    # The folder may have been renamed, or its volume may be mounted elsewhere.
    paths = config.paths.model_copy(update={"stage": str(stage)})
    shipment = Shipment(config.model_copy(update={"paths": paths, "tracking": tracking or config.tracking}), is_live=False)
    shipment.ship_points()
    shipment.end()
    shipment.ship_rest()


class Shipment:
    """Ships one stage's points, samples, environment and ending to its run."""

    def __init__(self, config: RunConfig, is_live: bool) -> None:
        self._stage = Path(config.paths.stage)
        first = next(read_points(self._stage / METRICS_FILE), None)
        known = _read_shipped(self._stage)
        self._runs = TrackedRuns(config, is_live, first.time if first else None, known.run_id if known else None)
        # If the earlier run was deleted, the new run gets everything again.
        self._shipped = known if known and known.run_id == self._runs.run_id else Shipped(run_id=self._runs.run_id)

    def ship_points(self) -> None:
        """Send the new points."""
        batch: list[tuple[str, Point, float]] = []
        end, newest = self._shipped.offset, 0
        for end, point, _ in read_lines(self._stage / METRICS_FILE, self._shipped.offset):
            if point:
                batch += [(name, point, value) for name, value in point.metrics.items()]
                newest = point.time
            if len(batch) >= _BATCH:
                self._send(batch, end, newest)
                batch = []
        if end != self._shipped.offset:
            self._send(batch, end, newest)

    def ship_rest(self) -> None:
        """Send the environment of the stage, and its samples as one file per step."""
        environment = read_environment(self._stage)
        if environment and not self._shipped.environment:
            self._runs.describe(environment)
            self._note(environment=True)
        samples = list(read_samples(self._stage / SAMPLES_FILE))
        new = {sample.step for sample in samples[self._shipped.samples :]}
        for step, rows in groupby(samples, lambda sample: sample.step):
            if step in new:
                # If the rows of a step were incomplete, sending them again replaces the file.
                self._runs.log_samples(step, [row.model_dump() for row in rows])
        if len(samples) != self._shipped.samples:
            self._note(samples=len(samples))

    def end(self) -> None:
        """Send how and when the stage ended, if it has ended."""
        ending = _ending(self._stage)
        if ending and ending != self._shipped.ending:
            self._runs.end(ending.status, ending.time)
            self._note(ending=ending)

    def _send(self, batch: list[tuple[str, Point, float]], end: int, newest: int) -> None:
        # Flush first: after a power cut, the journal must still have every point that MLflow has and the offset counts.
        flush(self._stage / METRICS_FILE)
        # If this process dies between these two lines, points are sent twice with the same time and value; MLflow keeps one.
        if batch:
            self._runs.log([(name, value, point.time, point.step) for name, point, value in batch])
        elif newest:
            # Steps are trained again: nothing is measured that MLflow does not have, but the stage makes progress.
            self._runs.note_progress(newest)
        self._note(offset=end)

    def _note(self, **news: object) -> None:
        self._shipped = self._shipped.model_copy(update=news)
        write_whole(self._stage / _SHIPPED_FILE, self._shipped.model_dump_json())


def _read(path: Path, parse: Callable[[str], Model]) -> Model:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ValueError(f"{path} is damaged, or of another version: {from_validation(error, BaseModel)[0]}") from error


def _read_shipped(stage: Path) -> Shipped | None:
    path = stage / _SHIPPED_FILE
    return _read(path, Shipped.model_validate_json) if path.exists() else None


def _ending(stage: Path) -> Ending | None:
    path, done = stage / _ENDING_FILE, stage / DONE_FILE
    if path.exists():
        return _read(path, Ending.model_validate_json)
    # The supervisor was killed after the result was written and before the ending was.
    return Ending(status="FINISHED", time=done.stat().st_mtime_ns // 1_000_000) if done.exists() else None
