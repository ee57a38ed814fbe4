"""Reads MLflow's database on this machine with SQL: never creates, migrates or writes it, and needs no import of MLflow."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alignment_api.metrics import INPUT_HASH_TAG, JOB_UID_TAG, KIND_TAG, STAGE_TAG
from alignment_api.problems import first_line

from alignment_dashboard.store import local_files
from alignment_dashboard.store.history import Histories, finite_or_infinite, history_of
from alignment_dashboard.store.store import StoredFile, StoreUnavailable
from alignment_dashboard.store.stored_run import Mark, StoredRun, milliseconds, moment

SCHEMA_VERSION = "dc11669786a5"
"""The schema of the MLflow that pyproject.toml pins; to ask MLflow itself would take seconds, since that imports all of it."""

BUSY_SECONDS = 5
"""How long a read waits for a writer; a trainer writes for milliseconds."""

_RUNS = f"""
SELECT
    run.run_uuid, run.experiment_id, run.status, run.start_time, run.end_time, run.artifact_uri,
    job.value, stage.value, kind.value, inputs.value
FROM tags AS job
JOIN runs AS run ON run.run_uuid = job.run_uuid AND run.lifecycle_stage = 'active'
JOIN experiments AS experiment ON experiment.experiment_id = run.experiment_id AND experiment.lifecycle_stage = 'active'
LEFT JOIN tags AS stage ON stage.run_uuid = run.run_uuid AND stage.key = '{STAGE_TAG}'
LEFT JOIN tags AS kind ON kind.run_uuid = run.run_uuid AND kind.key = '{KIND_TAG}'
LEFT JOIN tags AS inputs ON inputs.run_uuid = run.run_uuid AND inputs.key = '{INPUT_HASH_TAG}'
WHERE job.key = '{JOB_UID_TAG}'
"""
_PARAMETERS = "SELECT run_uuid, key, value FROM params WHERE run_uuid IN (SELECT value FROM json_each(?))"
_LATEST = """
SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE CAST(value AS REAL) END, CAST(step AS INTEGER), CAST(timestamp AS INTEGER)
FROM latest_metrics WHERE run_uuid IN (SELECT value FROM json_each(?))
"""
_POINTS = """
SELECT CAST(step AS INTEGER), CASE WHEN is_nan THEN NULL ELSE CAST(value AS REAL) END, CAST(timestamp AS INTEGER)
FROM metrics WHERE run_uuid = ? AND key = ? AND step >= ?
"""
_OUTLINES = """
WITH
points AS (
    SELECT run_uuid, step, value FROM metrics
    WHERE run_uuid IN (SELECT value FROM json_each(?)) AND key = ? AND NOT is_nan AND abs(value) < 1.7e308
),
ends AS (SELECT run_uuid, min(step) AS first, max(step) - min(step) + 1 AS length FROM points GROUP BY run_uuid)
SELECT run_uuid, min(value), max(value) FROM points JOIN ends USING (run_uuid)
GROUP BY run_uuid, (step - first) * ? / length
ORDER BY run_uuid, (step - first) * ? / length
"""


class SqliteStore:
    """Reads one database; each read opens it anew, since the file may have been deleted and created again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def jobs(self, ended_after: datetime | None = None) -> list[StoredRun]:
        """Return the runs of whole jobs; with a moment, only those that run or ended after it."""
        chosen, values = "AND stage.value IS NULL", list[int]()
        if ended_after:
            chosen, values = f"{chosen} AND (run.status = 'RUNNING' OR run.end_time > ?)", [milliseconds(ended_after)]
        with self._reading() as connection:
            return _runs(connection, chosen, values)

    def runs_of(self, job_uid: str) -> list[StoredRun]:
        """Return the runs of one job and of its stages."""
        with self._reading() as connection:
            return _runs(connection, "AND job.value = ?", [job_uid])

    def histories(self, run_id: str, since: Mapping[str, int | None]) -> Histories:
        """Return the points of each named metric from a step on, or all its points if no step is named for it."""
        with self._reading() as connection:
            return {
                metric: history_of(connection.execute(_POINTS, (run_id, metric, -(2**63) if step is None else step)).fetchall())
                for metric, step in since.items()
            }

    def outlines(self, run_ids: Sequence[str], metric: str, points: int) -> Mapping[str, list[float]]:
        """Return lowest and highest value of a metric in each part of its steps, for each of the runs."""
        parts, found = max(1, points // 2), defaultdict[str, list[float]](list)
        with self._reading() as connection:
            for run_id, low, high in connection.execute(_OUTLINES, (json.dumps(list(run_ids)), metric, parts, parts)):
                found[run_id] += [low] if low == high else [low, high]
        return found

    def files(self, run: StoredRun, folder: str) -> list[StoredFile]:
        """Return the files in a folder of a run; none if there is no such folder."""
        return local_files.list_files(run.artifacts, folder)

    def read_end(self, run: StoredRun, file: StoredFile, most: int) -> bytes:
        """Return the last bytes of a file of a run, at most so many."""
        return local_files.read_end(run.artifacts, file.path, most)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise StoreUnavailable(
                f"MLflow's database {self._path} is not there: the first stage that trains creates it. "
                "If a stage has trained, the file was moved or deleted."
            )
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as connection:
                self._require_finished(connection)
                yield connection
        except sqlite3.Error as error:
            raise StoreUnavailable(f"MLflow's database {self._path} cannot be read now: {_explain(error)}.") from error

    def _require_finished(self, connection: sqlite3.Connection) -> None:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"alembic_version", "experiments"} <= tables:
            raise StoreUnavailable(f"MLflow's database {self._path} is not complete yet: a stage is creating it.")
        versions = {name for (name,) in connection.execute("SELECT version_num FROM alembic_version")}
        # MLflow's client adds a missing default experiment, so the database is complete only with it.
        is_ready = connection.execute("SELECT 1 FROM experiments WHERE experiment_id = 0").fetchone()
        if versions != {SCHEMA_VERSION} or not is_ready:
            raise StoreUnavailable(
                f"MLflow's database {self._path} is not complete yet: a stage is creating it. "
                f"If this message stays, another version of MLflow than {version('mlflow')} created it."
            )


def _runs(connection: sqlite3.Connection, chosen: str, values: Sequence[object]) -> list[StoredRun]:
    rows = connection.execute(_RUNS + chosen, values).fetchall()
    named = json.dumps([row[0] for row in rows])
    parameters, latest = defaultdict[str, dict[str, str]](dict), defaultdict[str, dict[str, float]](dict)
    marks = defaultdict[str, dict[str, Mark]](dict)
    for run_id, key, value in connection.execute(_PARAMETERS, (named,)):
        parameters[run_id][key] = value
    for run_id, key, number, step, time in connection.execute(_LATEST, (named,)):
        latest[run_id][key], marks[run_id][key] = finite_or_infinite(number), Mark(step, time)
    return [_run(row, parameters[row[0]], latest[row[0]], marks[row[0]]) for row in rows]


def _run(row: Sequence[Any], parameters: dict[str, str], latest: dict[str, float], marks: dict[str, Mark]) -> StoredRun:
    run_id, experiment, status, start, end, artifacts, job, stage, kind, inputs = row
    times = moment(start), moment(end)
    return StoredRun(
        run_id, str(experiment), job, stage, kind, status, *times, artifacts or "", parameters, latest, marks, inputs
    )


def _explain(error: sqlite3.Error) -> str:
    text = first_line(error)
    if "readonly database" in text:
        return "a program was killed while it wrote, and the next program that writes the database repairs it"
    if "locked" in text:
        return "a program keeps it locked; this page keeps trying"
    return text
