"""A made home with jobs and a real MLflow database, which the dashboard's tests read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.job import AlignmentJob
from alignment_api.metrics import JOB_UID_TAG, KIND_TAG, PARENT_TAG, STAGE_TAG
from mlflow import MlflowClient
from mlflow.entities import Metric

STAGES = [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}]
JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Give the home that the pages read, still empty."""
    from alignment_dashboard import cache

    monkeypatch.setenv("ALIGNMENT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    cache.listing.clear()
    cache.curves.clear()
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


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one MLflow database for all tests, since its tables take seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def log_run(home: Home, empty_database: Path) -> RunLogger:
    """Log a stage's run, and its job's, into the home's own database."""
    home.root.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database, home.root / "mlflow.db")
    client, parents = MlflowClient(home.tracking_uri), dict[str, str]()

    def log(job_uid: str, stage: str, metrics: dict[str, list[tuple[int, float]]]) -> str:
        if job_uid not in parents:
            parents[job_uid] = client.create_run("0", tags={JOB_UID_TAG: job_uid}).info.run_id
        tags = {JOB_UID_TAG: job_uid, PARENT_TAG: parents[job_uid], STAGE_TAG: stage, KIND_TAG: stage}
        run_id = client.create_run("0", tags=tags).info.run_id
        logged = [
            Metric(key, value, moment, step) for key, points in metrics.items() for moment, (step, value) in enumerate(points)
        ]
        client.log_batch(run_id, metrics=logged)
        return str(run_id)

    return log
