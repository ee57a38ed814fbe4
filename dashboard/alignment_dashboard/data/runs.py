"""Reads the runs of a job from MLflow; never creates, migrates or writes a database."""

import math
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from alembic.script import ScriptDirectory
from alignment_api.credentials import read_login, without_credentials
from alignment_api.home import Home
from alignment_api.metrics import JOB_UID_TAG, KIND_TAG, STAGE_TAG
from alignment_api.problems import first_line
from alignment_api.runs import Beginning, newest_run
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from sqlalchemy.exc import SQLAlchemyError

from alignment_dashboard.data.history import Histories, Point
from alignment_dashboard.data.source import source

SQLITE = "sqlite:///"
REASON_LENGTH = 120
EXPERIMENTS_AT_ONCE = 1000
RUNS_AT_ONCE = 1000
CREDENTIALS_VARIABLE = "ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"
"""The folder with the files username and password, if MLflow needs a login."""


class RunsUnavailable(Exception):
    """MLflow cannot be read now; the message is a sentence for the page."""


class StageRun(NamedTuple):
    """The MLflow run of one stage at one moment; all attempts of the stage continue the same run."""

    run_id: str
    stage: str
    kind: str | None
    latest: frozenset[tuple[str, float]]


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or for jobs of the local folder the database in that folder."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if not named and source() == "kubernetes":
        raise RunsUnavailable("No metrics: the dashboard does not know the address of MLflow. Set MLFLOW_TRACKING_URI for it.")
    return named or Home.from_environment().tracking_uri


def read_stage_runs(uri: str, job_uid: str) -> dict[str, StageRun]:
    """Find the runs of a job's stages by their tags; a stage that has not started has no run."""
    with _reading(uri) as client:
        tagged = _search(client, JOB_UID_TAG, job_uid)
    by_stage: dict[str, list[Run]] = {}
    for run in tagged:
        if STAGE_TAG in run.data.tags:
            by_stage.setdefault(run.data.tags[STAGE_TAG], []).append(run)
    now = time.time_ns() // 1_000_000
    newest = (newest_run(runs, lambda run: Beginning(run.info.start_time, run.info.run_id), now) for runs in by_stage.values())
    return {run.data.tags[STAGE_TAG]: _stage_run(run) for run in newest if run}


def read_histories(uri: str, run: StageRun, metrics: Iterable[str]) -> Histories:
    """Read the named metrics of a run, as far as it has them."""
    logged = {metric for metric, _ in run.latest}
    return {metric: _read_history(uri, run, metric) for metric in metrics if metric in logged}


def _search(client: MlflowClient, tag: str, value: str) -> list[Run]:
    if "'" in value:
        return []
    runs: list[Run] = []
    for experiments in _pages(client.search_experiments, EXPERIMENTS_AT_ONCE):
        named = [experiment.experiment_id for experiment in experiments]
        search = partial(client.search_runs, named, f"tags.`{tag}` = '{value}'")
        runs += [run for page in _pages(search, RUNS_AT_ONCE) for run in page]
    return runs


def _pages(search: Callable[..., PagedList[Any]], at_once: int) -> Iterator[PagedList[Any]]:
    """Yield one page of results after the other, to the last."""
    page = search(max_results=at_once)
    yield page
    while page.token:
        page = search(max_results=at_once, page_token=page.token)
        yield page


def _stage_run(run: Run) -> StageRun:
    tags = run.data.tags
    return StageRun(run.info.run_id, tags[STAGE_TAG], tags.get(KIND_TAG), frozenset(run.data.metrics.items()))


# The cache key contains the run's latest values, so a run is read again only when it has logged something new.
@lru_cache(maxsize=64)
def _read_history(uri: str, run: StageRun, metric: str) -> tuple[Point, ...]:
    with _reading(uri) as client:
        logged = client.get_metric_history(run.run_id, metric)
    # A resumed attempt repeats the steps since its checkpoint; the values logged last belong to the model that is kept.
    latest = {entry.step: entry.value for entry in sorted(logged, key=lambda entry: entry.timestamp)}
    return tuple(Point(step, _read_value(value)) for step, value in sorted(latest.items()))


def _read_value(value: float) -> float:
    # MLflow stores infinity as the largest float.
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


@contextmanager
def _reading(uri: str) -> Iterator[MlflowClient]:
    try:
        if uri.startswith(SQLITE):
            _require_finished_database(Path(uri.removeprefix(SQLITE)))
        _log_in()
        yield _client(uri)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise RunsUnavailable(
            f"MLflow at {without_credentials(uri)} cannot be read now; this page keeps trying. "
            f"The error: {without_credentials(first_line(error))[:REASON_LENGTH]}"
        ) from error


def _log_in() -> None:
    """Put name and password into the variables that MLflow's client reads at each request; a mounted Secret may change."""
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    if folder:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = read_login(Path(folder))


@lru_cache(maxsize=4)
def _client(uri: str) -> MlflowClient:
    # The page should report an unreachable server within seconds; the next refresh tries again.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    # A pooled connection would keep reading a database file that was deleted and created again.
    os.environ.setdefault("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    return MlflowClient(uri)


def _require_finished_database(path: Path) -> None:
    """Refuse a database that is missing or that a starting trainer is still creating: MLflow's client would create the rest."""
    if not path.is_file():
        raise RunsUnavailable(f"No metrics yet: the first stage creates {path} when it starts to train.")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"alembic_version", "experiments"} <= tables:
            raise RunsUnavailable(f"No metrics yet: a stage is creating {path}.")
        versions = {version for (version,) in connection.execute("SELECT version_num FROM alembic_version")}
        # MLflow's client adds a missing default experiment, so the database is complete only with it.
        ready = connection.execute("SELECT 1 FROM experiments WHERE experiment_id = 0").fetchone()
    if versions != {_schema_version()} or ready is None:
        raise RunsUnavailable(
            f"No metrics yet: a stage is creating {path}. "
            f"If this message stays, another version of MLflow than {mlflow.__version__} created it."
        )


@lru_cache(maxsize=1)
def _schema_version() -> str | None:
    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations")).get_current_head()
