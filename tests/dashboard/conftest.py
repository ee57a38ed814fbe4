"""Fixtures of the dashboard's tests: a local folder with jobs, a real MLflow database, and a small API server."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.metrics import JOB_UID_TAG, KIND_TAG, PARENT_TAG, STAGE_TAG
from alignment_api.spec.job import AlignmentJob
from mlflow import MlflowClient
from mlflow.entities import Metric
from watched_api import STAGES, ApiServer, write_kubeconfig

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore `__main__`, which Streamlit replaces by the page: a process forked by a later test would run the page first."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Make the empty folder that the pages read."""
    from alignment_dashboard import cache

    monkeypatch.setenv("ALIGNMENT_HOME", str(tmp_path / "home"))
    for name in ("MLFLOW_TRACKING_URI", "ALIGNMENT_SOURCE", "ALIGNMENT_NAMESPACES", "ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    cache.clear()
    return Home.from_environment()


@pytest.fixture
def write_job(home: Home) -> JobWriter:
    """Write a job.json of two stages, sft and dpo, with the given status."""

    def write(name: str, status: dict[str, Any] | None = None, **spec: Any) -> AlignmentJob:
        document = {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
            "spec": {"model": {"uri": "workspace://model"}, "stages": STAGES} | spec,
        } | ({"status": status} if status else {})
        job = AlignmentJob.parse(document)
        folder = home.job_folder("default", name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "job.json").write_text(json.dumps(job.dump()))
        return job

    return write


@pytest.fixture
def log_run(home: Home, empty_database: Path) -> RunLogger:
    """Log a stage's run, and its job's, into the home's own database."""
    home.root.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database, home.root / "mlflow.db")
    client, parents = MlflowClient(home.tracking_uri), dict[str, str]()

    def log(job_uid: str, stage: str, metrics: dict[str, list[tuple[int, float]]], **others: Any) -> str:
        if job_uid not in parents:
            parents[job_uid] = client.create_run("0", tags={JOB_UID_TAG: job_uid}).info.run_id
        tags = {JOB_UID_TAG: job_uid, PARENT_TAG: parents[job_uid], STAGE_TAG: stage, KIND_TAG: stage}
        run_id = client.create_run(**{"experiment_id": "0", "tags": tags, **others}).info.run_id
        logged = [
            Metric(key, value, moment, step) for key, points in metrics.items() for moment, (step, value) in enumerate(points)
        ]
        client.log_batch(run_id, metrics=logged)
        return str(run_id)

    return log


@pytest.fixture
def api_server(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Serve the Kubernetes API, and let the dashboard read it."""
    from alignment_dashboard.data import cluster_jobs
    from alignment_dashboard.data.source import namespaces
    from alignment_dashboard.data.watch import JobWatch, Pace

    server = ApiServer()
    write_kubeconfig(tmp_path / "kubeconfig", server.port)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("ALIGNMENT_SOURCE", "kubernetes")
    monkeypatch.setattr(cluster_jobs, "JobWatch", partial(JobWatch, pace=Pace(5, 0.01, 0.05)))
    cluster_jobs.watches.cache_clear()
    yield server
    if cluster_jobs.watches.cache_info().currsize:
        for watch in cluster_jobs.watches(namespaces()):
            watch.stop()
    cluster_jobs.watches.cache_clear()
    server.stop()
