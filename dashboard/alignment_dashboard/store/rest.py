"""Reads a server of MLflow over its REST API; MLflow's own client sends the requests, with login, TLS settings and retries."""

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from alignment_api.credentials import read_login, without_credentials
from alignment_api.metrics import INPUT_HASH_TAG, JOB_UID_TAG, KIND_TAG, STAGE_TAG
from alignment_api.problems import first_line
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import MlflowHostCreds, http_request, verify_rest_response

from alignment_dashboard.store.history import Histories, History, finite_or_infinite, history_of
from alignment_dashboard.store.store import StoredFile, StoreUnavailable
from alignment_dashboard.store.stored_run import Mark, StoredRun, milliseconds, moment

CREDENTIALS_VARIABLE = "ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"
"""The folder with the files username and password, if MLflow needs a login."""

API = "/api/2.0/mlflow"
REASON_LENGTH = 120
EXPERIMENTS_AT_ONCE = 1000
RUNS_AT_ONCE = 1000
POINTS_AT_ONCE = 25_000
INTERVAL_RUNS, INTERVAL_POINTS, LAST_STEP = 100, 2500, 2**31 - 1
"""What MLflow allows in one request for an interval of steps; from more points it would draw a sample."""
CHUNK = 1 << 16
MOST_DOWNLOADED = 64 << 20
"""A server that cannot send the end of a file alone sends all of it; longer files are refused."""

# The page should report a server that does not answer within seconds; the next refresh tries again.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


class RestStore:
    """Reads one server; name and password are read at each request, since a mounted Secret may change."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def jobs(self, ended_after: datetime | None = None) -> list[StoredRun]:
        """Return the runs of whole jobs; with a moment, only those that run or ended after it."""
        whole, named = f"tags.`{JOB_UID_TAG}` IS NOT NULL AND tags.`{STAGE_TAG}` IS NULL", self._experiments()
        if ended_after is None:
            return self._search(named, whole)
        # MLflow's filters know no OR.
        running = self._search(named, f"{whole} AND attributes.status = 'RUNNING'")
        return running + self._search(named, f"{whole} AND attributes.end_time > {milliseconds(ended_after)}")

    def runs_of(self, job_uid: str) -> list[StoredRun]:
        """Return the runs of one job and of its stages."""
        # MLflow's filters cannot contain both quotes, and no uid has one.
        return [] if "'" in job_uid else self._search(self._experiments(), f"tags.`{JOB_UID_TAG}` = '{job_uid}'")

    def histories(self, run_id: str, since: Mapping[str, int | None]) -> Histories:
        """Return the points of each named metric from a step on, or all its points if no step is named for it."""
        return {metric: self._history(run_id, metric, step) for metric, step in since.items()}

    def outlines(self, run_ids: Sequence[str], metric: str, points: int) -> Mapping[str, list[float]]:
        """Return a sample of the values of a metric, for each of the runs."""
        found = defaultdict[str, list[float]](list)
        for start in range(0, len(run_ids), INTERVAL_RUNS):
            for entry in self._interval(run_ids[start : start + INTERVAL_RUNS], metric, {"max_results": points}):
                value = _value(entry)
                if math.isfinite(value):
                    found[entry["run_id"]].append(value)
        return found

    def files(self, run: StoredRun, folder: str) -> list[StoredFile]:
        """Return the files in a folder of a run; none if there is no such folder."""
        listed = self._pages("GET", f"{API}/artifacts/list", {"run_id": run.run_id, "path": folder}, "files")
        return sorted(StoredFile(file["path"], int(file.get("file_size", 0))) for file in listed if not file.get("is_dir"))

    def read_end(self, run: StoredRun, file: StoredFile, most: int) -> bytes:
        """Return the last bytes of a file of a run, at most so many."""
        end, size = b"", 0
        with self._asking() as login, self._download(login, run, file, most) as answer:
            for chunk in answer.iter_content(CHUNK):
                end, size = (end + chunk)[-most:], size + len(chunk)
                if size > MOST_DOWNLOADED:
                    raise StoreUnavailable(f"{file.path} is not shown, since it has more than {MOST_DOWNLOADED >> 20} MB.")
        return end

    def _history(self, run_id: str, metric: str, step: int | None) -> History:
        if step is not None and step <= LAST_STEP:
            interval = {"start_step": step, "end_step": LAST_STEP, "max_results": INTERVAL_POINTS}
            found = self._interval([run_id], metric, interval)
            if len(found) < INTERVAL_POINTS:
                return _history(found)
        query = {"run_id": run_id, "metric_key": metric, "max_results": POINTS_AT_ONCE}
        return _history(list(self._pages("GET", f"{API}/metrics/get-history", query, "metrics")))

    def _interval(self, run_ids: Sequence[str], metric: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self._ask(
            "GET", f"{API}/metrics/get-history-bulk-interval", {"run_ids": list(run_ids), "metric_key": metric, **query}
        )
        found: list[dict[str, Any]] = answer.get("metrics", [])
        return found

    def _experiments(self) -> list[str]:
        found = self._pages("POST", f"{API}/experiments/search", {"max_results": EXPERIMENTS_AT_ONCE}, "experiments")
        return [experiment["experiment_id"] for experiment in found]

    def _search(self, experiments: list[str], wanted: str) -> list[StoredRun]:
        query = {"experiment_ids": experiments, "filter": wanted, "max_results": RUNS_AT_ONCE}
        return [_run(run) for run in self._pages("POST", f"{API}/runs/search", query, "runs")] if experiments else []

    def _pages(self, method: str, endpoint: str, query: dict[str, Any], field: str) -> Iterator[Any]:
        """Yield what a field of the answers lists, page after page."""
        token: str | None = None
        while True:
            answer = self._ask(method, endpoint, query | ({"page_token": token} if token else {}))
            yield from answer.get(field, [])
            token = answer.get("next_page_token")
            if not token:
                return

    def _ask(self, method: str, endpoint: str, query: dict[str, Any]) -> dict[str, Any]:
        with self._asking() as login:
            answer = http_request(login, endpoint, method, **{"params" if method == "GET" else "json": query})
            found: dict[str, Any] = verify_rest_response(answer, endpoint).json()
            return found

    @contextmanager
    def _download(self, login: MlflowHostCreds, run: StoredRun, file: StoredFile, most: int) -> Iterator[Any]:
        query = {"run_id": run.run_id, "path": file.path}
        last = {"Range": f"bytes=-{most}"} if file.size > most else {}
        with http_request(login, "/get-artifact", "GET", params=query, extra_headers=last, stream=True) as answer:
            if answer.status_code not in (200, 206):
                verify_rest_response(answer, "/get-artifact")
            yield answer

    @contextmanager
    def _asking(self) -> Iterator[MlflowHostCreds]:
        try:
            login, folder = get_default_host_creds(self._uri), os.environ.get(CREDENTIALS_VARIABLE)
            if folder:
                login.username, login.password = read_login(Path(folder))
            yield login
        except (MlflowException, OSError, ValueError) as error:
            raise StoreUnavailable(
                f"MLflow at {without_credentials(self._uri)} cannot be read now; this page keeps trying. "
                f"The error: {without_credentials(first_line(error))[:REASON_LENGTH]}"
            ) from error


def _run(found: dict[str, Any]) -> StoredRun:
    info, data = found["info"], found.get("data", {})
    tags = {tag["key"]: tag.get("value", "") for tag in data.get("tags", [])}
    metrics = data.get("metrics", [])
    return StoredRun(
        run_id=info["run_id"],
        experiment_id=info["experiment_id"],
        job_uid=tags[JOB_UID_TAG],
        stage=tags.get(STAGE_TAG),
        kind=tags.get(KIND_TAG),
        status=info["status"],
        start_time=moment(info.get("start_time")),
        end_time=moment(info.get("end_time")),
        artifacts=info.get("artifact_uri", ""),
        parameters={parameter["key"]: parameter.get("value", "") for parameter in data.get("params", [])},
        latest={metric["key"]: _value(metric) for metric in metrics},
        marks={metric["key"]: Mark(int(metric.get("step", 0)), int(metric.get("timestamp", 0))) for metric in metrics},
        input_hash=tags.get(INPUT_HASH_TAG),
    )


def _history(points: list[dict[str, Any]]) -> History:
    return history_of([(int(point.get("step", 0)), _value(point), int(point.get("timestamp", 0))) for point in points])


def _value(entry: dict[str, Any]) -> float:
    return finite_or_infinite(float(entry.get("value", 0)))
