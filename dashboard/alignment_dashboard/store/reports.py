"""What the stages of a job have reported, and the rows behind it: each file is read once, unless it changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from alignment_api.names import REPORT_FILE
from alignment_api.results.collected import ReportFile, Reports, collected
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.results.reading import EVALUATION_FOLDER, UnreadableReport, read_rows, rows_file, run_folder

from alignment_dashboard.store.store import Store, StoredFile
from alignment_dashboard.store.stored_run import StoredRun

MOST_BYTES, MOST_BYTES_OF_ROWS = 16 << 20, 48 << 20


class Mark(NamedTuple):
    """Which state of a file was read: a stage that is measured again may write as many bytes."""

    run_id: str
    ended: datetime | None
    file: StoredFile


class JobReports(NamedTuple):
    """The reports of a job, and which files they were read from."""

    reports: Reports
    marks: Mapping[str, Mark | None]
    """By stage."""


class ModelRows(NamedTuple):
    """The rows of one model in a task, or why there are none."""

    rows: tuple[EvaluatedRow, ...]
    fault: str | None
    mark: Mark | None


NO_REPORTS, NO_ROWS = JobReports(Reports(), {}), ModelRows((), None, None)


def read_reports(
    store: Store, job: str, stages: Mapping[str, str], runs: Mapping[str | None, StoredRun], known: JobReports
) -> JobReports:
    """Read the reports of the stages that are named with their kinds, if one of them has changed."""
    files = {stage: _find(store, runs.get(stage), f"{run_folder(kind)}/{REPORT_FILE}") for stage, kind in stages.items()}
    if files == known.marks:
        return known
    return JobReports(collected(job, [_read(store, runs, stage, stages[stage], mark) for stage, mark in files.items()]), files)


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


def _read(store: Store, runs: Mapping[str | None, StoredRun], stage: str, kind: str, mark: Mark | None) -> ReportFile:
    name = f"{run_folder(kind)}/{REPORT_FILE} of stage {stage}"
    if mark is None:
        return ReportFile(stage, kind, None, name)
    # What is longer than a report can be is cut, and then refused with a sentence.
    return ReportFile(stage, kind, store.read_end(runs[stage], mark.file, MOST_BYTES), name)
