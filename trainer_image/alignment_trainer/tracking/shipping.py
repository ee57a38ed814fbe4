"""Ships the points, samples and report of a stage's folder to MLflow, each once, and records how much has arrived."""

import json
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from alignment_api.files import flush, write_whole
from alignment_api.journal import read_lines, read_points
from alignment_api.names import METRICS_FILE, RUN_CONFIG_FILE, SAMPLES_FILE, SHIPPED_FILE
from alignment_api.run_config import RunConfig, TrackingTarget
from alignment_api.runs import RunIds
from pydantic import BaseModel

from alignment_trainer.output.stage_log import log_files, log_state
from alignment_trainer.tracking.endings import Ending, ending_of
from alignment_trainer.tracking.headlines import Headlines, Measured
from alignment_trainer.tracking.record_files import read_record
from alignment_trainer.tracking.report_files import report_folders, report_state
from alignment_trainer.tracking.tracked_runs import TrackedRuns
from alignment_trainer.workspace.environment import read_environment
from alignment_trainer.workspace.samples import read_samples

Model = TypeVar("Model", bound=BaseModel)

_BATCH = 900


class Shipped(RunIds):
    """How much has arrived in MLflow, and in which runs."""

    offset: int = 0
    headlines_offset: int = 0
    """Up to where the run of the whole job has the latest and best values."""
    environment: bool = False
    samples: int = 0
    report: tuple[int, int] | None = None
    """The state of the report when it was sent with its rows."""
    ending: Ending | None = None
    log: tuple[int, int] | None = None
    """The state of the log when it was sent."""


def is_shipped(stage: Path) -> bool:
    """Return whether everything that the stage has written has arrived."""
    shipped = _read_shipped(stage)
    if shipped is None:
        # Without a point, a run of it would tell nothing, and readers would take the newer run for the one that trains.
        return next(read_points(stage / METRICS_FILE), None) is None
    ending = ending_of(stage)
    return (
        next(read_lines(stage / METRICS_FILE, shipped.offset), None) is None
        and shipped.headlines_offset == shipped.offset
        and shipped.environment == bool(read_environment(stage))
        and shipped.samples == sum(1 for _ in read_samples(stage / SAMPLES_FILE))
        and report_state(stage) in (None, shipped.report)
        and ending in (None, shipped.ending)
        and log_state(stage) in (None, shipped.log)
    )


def left_behind(folder: Path) -> list[Path]:
    """Find the stages at or below a folder (a workspace, a job, a stage) whose data has not all arrived."""
    folders = (path.parent for depth in ("", "*/", "*/*/", "*/*/*/") for path in sorted(folder.glob(depth + RUN_CONFIG_FILE)))
    return [stage for stage in folders if not is_shipped(stage)]


def ship_all(stage: Path, tracking: TrackingTarget | None = None, job_run_id: str | None = None) -> None:
    """Ship the rest of a stage that no process works on; to another server or below another run of the job if they are given."""
    config = read_record(stage / RUN_CONFIG_FILE, lambda text: RunConfig.parse_stored(json.loads(text)))
    # The folder may have been renamed, or its volume may be mounted elsewhere.
    paths = config.paths.model_copy(update={"stage": str(stage)})
    config = config.model_copy(update={"paths": paths, "tracking": tracking or config.tracking})
    shipment = Shipment(config, is_live=False, job_run_id=job_run_id)
    shipment.ship_points()
    shipment.end()
    shipment.ship_rest()
    shipment.ship_log()


def is_of_job_run(stage: Path, job_run_id: str) -> bool:
    """Return whether a stage was shipped to this run of the whole job."""
    shipped = _read_shipped(stage)
    return shipped is not None and shipped.job_run_id == job_run_id


class Shipment:
    """Ships one stage's points, samples, environment and ending to its run, and its headlines to the job's run."""

    def __init__(self, config: RunConfig, is_live: bool, job_run_id: str | None = None) -> None:
        self._stage, self._kind = Path(config.paths.stage), config.stage.kind
        self._headlines = Headlines(config.stage_name)
        self._arrived: set[Measured] = set()
        first = next(read_points(self._stage / METRICS_FILE), None)
        known = _read_shipped(self._stage)
        wanted = RunIds(run_id=known.run_id if known else "", job_run_id=job_run_id or (known and known.job_run_id))
        self._runs = TrackedRuns(config, is_live, first.time if first else None, wanted)
        self.job_run_id = self._runs.ids.job_run_id
        # If the earlier run was deleted, the new run gets everything again.
        is_known = known is not None and known.run_id == self._runs.ids.run_id
        self._shipped = known if known and is_known else Shipped(run_id=self._runs.ids.run_id)
        self._begin()

    def _begin(self) -> None:
        """Record the runs, and read again what has arrived."""
        ids = self._runs.ids
        if RunIds(**self._shipped.model_dump()) != ids:
            self._note(**ids.model_dump(), headlines_offset=0)
        for end, point, _ in read_lines(self._stage / METRICS_FILE):
            if end > self._shipped.offset:
                break
            if point:
                self._headlines.add(point)

    def ship_points(self) -> None:
        """Send the new points, and what they change among the headlines."""
        batch: list[Measured] = []
        end, newest = self._shipped.offset, 0
        for end, point, _ in read_lines(self._stage / METRICS_FILE, self._shipped.offset):
            if point:
                batch += [Measured(name, value, point.time, point.step) for name, value in point.metrics.items()]
                newest = point.time
                self._headlines.add(point)
            if len(batch) >= _BATCH:
                self._send(batch, end, newest)
                batch = []
        if end != self._shipped.offset:
            self._send(batch, end, newest)
        if self._shipped.headlines_offset != self._shipped.offset:
            self._send_headlines()

    def ship_rest(self) -> None:
        """Send the environment of the stage, its samples as one file per step, and its report."""
        environment = read_environment(self._stage)
        if environment and not self._shipped.environment:
            self._runs.describe(environment)
            self._note(environment=True)
        samples = list(read_samples(self._stage / SAMPLES_FILE))
        new = {sample.step for sample in samples[self._shipped.samples :]}
        for step, rows in groupby(samples, lambda sample: sample.step):
            if step in new:
                # If the rows of a step were incomplete, sending them again replaces the file.
                self._runs.log_samples(step, [row.model_dump(exclude={"step_rows"}) for row in rows])
        if len(samples) != self._shipped.samples:
            self._note(samples=len(samples))
        self._ship_report()

    def _ship_report(self) -> None:
        """Send the report and its rows, in place of those of an attempt that failed."""
        state = report_state(self._stage)
        if state not in (None, self._shipped.report):
            for folder, files in report_folders(self._stage, self._kind):
                self._runs.log_files(files, folder)
            self._note(report=state)

    def ship_log(self) -> None:
        """Send the log of an attempt that has ended, in place of the one sent before."""
        state = log_state(self._stage)
        if state not in (None, self._shipped.log):
            self._runs.log_files(log_files(self._stage), "logs")
            self._note(log=state)

    def end(self) -> None:
        """Send how and when the stage ended, if it has ended."""
        ending = ending_of(self._stage)
        if ending and ending != self._shipped.ending:
            self._runs.end(ending.status, ending.time)
            self._note(ending=ending)

    def _send(self, batch: list[Measured], end: int, newest: int) -> None:
        # Flush first: after a power cut, the journal must still have every point that MLflow has and the offset counts.
        flush(self._stage / METRICS_FILE)
        # If this process dies between these two lines, points are sent twice with the same time and value; MLflow keeps one.
        if batch:
            self._runs.log(batch)
        elif newest:
            # Steps are trained again: nothing is measured that MLflow does not have, but the stage makes progress.
            self._runs.note_progress(newest)
        self._note(offset=end)

    def _send_headlines(self) -> None:
        values = self._headlines.values()
        # As with the points, MLflow keeps one of two equal values.
        if new := values - self._arrived:
            self._runs.log_headlines(new)
            self._arrived = values
        self._note(headlines_offset=self._shipped.offset)

    def _note(self, **news: object) -> None:
        self._shipped = self._shipped.model_copy(update=news)
        write_whole(self._stage / SHIPPED_FILE, self._shipped.model_dump_json())


def _read_shipped(stage: Path) -> Shipped | None:
    path = stage / SHIPPED_FILE
    return read_record(path, Shipped.model_validate_json) if path.exists() else None
