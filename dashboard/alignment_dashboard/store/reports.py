"""What the stages of a job have reported, and the rows behind it: each file is read once, unless it changes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from alignment_api.names import REPORT_FILE
from alignment_api.results.collected import ReportFile, Reporting, Reports, collected
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.results.reading import EVALUATION_FOLDER, UnreadableReport, read_rows, rows_file, run_folder
from alignment_api.results.standing import standing

from alignment_dashboard.store.store import Store, StoredFile
from alignment_dashboard.store.stored_run import StoredRun

MOST_BYTES, MOST_BYTES_OF_ROWS = 16 << 20, 48 << 20


class Mark(NamedTuple):
    """Which state of a file was read: a stage that is measured again may write as many bytes."""

    run_id: str
    ended: datetime | None
    file: StoredFile


class Reported(NamedTuple):
    """A stage as it was when its report was read, and where that was."""

    stage: Reporting
    mark: Mark | None
    """None if there is no report."""


class JobReports(NamedTuple):
    """The reports of a job, and where they were read."""

    reports: Reports
    read: Mapping[str, Reported]
    """By stage."""


class ModelRows(NamedTuple):
    """The rows of one model in a task, or why there are none."""

    rows: tuple[EvaluatedRow, ...]
    fault: str | None
    mark: Mark | None


NO_REPORTS, NO_ROWS = JobReports(Reports(), {}), ModelRows((), None, None)


def read_reports(
    store: Store,
    job: str,
    stages: Mapping[str, Reporting],
    runs: Mapping[str | None, Sequence[StoredRun]],
    known: JobReports,
) -> JobReports:
    """Read the newest reports of stages, if one of them has changed; of the runs of a stage, the newest is the first."""
    found = {name: Reported(stage, _newest(store, stage.kind, runs.get(name, ()))) for name, stage in stages.items()}
    if found == known.read:
        return known
    return JobReports(collected(job, [_file(store, runs, *named) for named in found.items()]), found)


def run_of_report(known: JobReports, stage: str, runs: Sequence[StoredRun]) -> StoredRun | None:
    """Return the run of a stage that has its report, or else the newest."""
    read = known.read.get(stage)
    having = (run for run in runs if read and read.mark and read.mark.run_id == run.run_id)
    return next(having, next(iter(runs), None))


def read_model_rows(store: Store, run: StoredRun | None, task: str, model: str, known: ModelRows) -> ModelRows:
    """Read the rows of one model in a task, if they have changed."""
    mark = None
    try:
        path = f"{EVALUATION_FOLDER}/{rows_file(task, model)}"
        mark = _find(store, run, path)
        if run is None or mark is None:
            return ModelRows((), f"The rows of {model} in {task} are not there.", None)
        if mark == known.mark:
            return known
        if mark.file.size > MOST_BYTES_OF_ROWS:
            return ModelRows((), f"{path} is not shown, since it has more than {MOST_BYTES_OF_ROWS >> 20} MB.", mark)
        return ModelRows(tuple(read_rows(store.read_end(run, mark.file, MOST_BYTES_OF_ROWS), path)), None, mark)
    except UnreadableReport as error:
        return ModelRows((), str(error), mark)


def _find(store: Store, run: StoredRun | None, path: str) -> Mark | None:
    files = store.files(run, path.rpartition("/")[0]) if run else []
    return next((Mark(run.run_id, run.end_time, file) for file in files if run and file.path == path), None)


def _newest(store: Store, kind: str, runs: Sequence[StoredRun]) -> Mark | None:
    """Return the newest report of a stage: while it runs with other settings, an earlier run has it."""
    path = f"{run_folder(kind)}/{REPORT_FILE}"
    return next((mark for run in runs if (mark := _find(store, run, path))), None)


def _file(store: Store, runs: Mapping[str | None, Sequence[StoredRun]], name: str, found: Reported) -> ReportFile:
    stage, mark = found
    shown = f"{run_folder(stage.kind)}/{REPORT_FILE} of stage {name}"
    if mark is None:
        return ReportFile(name, stage.kind, None, shown)
    run = next(run for run in runs[name] if run.run_id == mark.run_id)
    # What is longer than a report can be is cut, and then refused with a sentence.
    content = store.read_end(run, mark.file, MOST_BYTES)
    current = stage.input_hash or runs[name][0].input_hash
    return ReportFile(name, stage.kind, content, shown, standing(run.input_hash, current, stage.state))
