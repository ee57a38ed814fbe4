"""Progress comes from MLflow in one question; its silence is told apart from standstill. A real MLflow answers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from alignment_api import metrics
from alignment_operator.progress import ProgressReader, progress_of
from mlflow import MlflowClient
from mlflow.entities import Metric


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    limit = time.monotonic() + 120
    while not _answers(uri):
        assert time.monotonic() < limit, (folder / "log").read_text()
        time.sleep(0.2)
    yield uri
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def log(client: MlflowClient, run_id: str, step: int, time_ms: int, **values: float) -> None:
    names = {"loss": metrics.LOSS, "total": metrics.TOTAL_STEPS, "left": metrics.SECONDS_LEFT}
    client.log_batch(run_id, [Metric(names[name], value, time_ms, step) for name, value in values.items()])


def test_a_job_is_read_with_its_stages_and_its_run(server: str) -> None:
    client = MlflowClient(server)
    experiment = client.create_experiment("team")
    parent = client.create_run(experiment, tags={metrics.JOB_UID_TAG: "u1"})
    child = client.create_run(experiment, tags={metrics.JOB_UID_TAG: "u1", metrics.STAGE_TAG: "sft"})
    client.create_run(experiment)
    reader = ProgressReader(server, "https://mlflow.example")
    log(client, child.info.run_id, 3, 3000, loss=0.5, total=10, left=70.4)
    assert asyncio.run(reader.refresh()) == {"u1"}
    report = reader.report("u1")
    progress = report.stages["sft"]
    assert (progress.step, progress.total_steps, progress.percent, progress.seconds_left) == (3, 10, 30, 70)
    assert progress.metrics == {metrics.LOSS: 0.5}
    assert report.run_ids == {"sft": child.info.run_id}
    assert report.tracking is not None
    assert report.tracking.url == f"https://mlflow.example/#/experiments/{experiment}/runs/{parent.info.run_id}"
    assert report.silence is None
    assert asyncio.run(reader.refresh()) == set()
    log(client, child.info.run_id, 4, 4000, loss=0.4)
    assert asyncio.run(reader.refresh()) == {"u1"}
    assert reader.report("another").stages == {}


def test_silence_is_said_and_ends() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    reader = ProgressReader(uri, None)
    asyncio.run(reader.refresh())
    assert reader.silent
    silence = reader.report("u1").silence
    assert silence is not None
    assert silence.startswith(f"progress is unknown: MLflow at {uri} has not answered since ")
    assert silence.endswith("training goes on and keeps its metrics")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], None),
        ([{"key": metrics.LOSS, "value": 1.0, "timestamp": 1000, "step": 1}], None),
        ([{"key": metrics.TOTAL_STEPS, "value": 0.0, "timestamp": 1000, "step": 0}], None),
        (
            [
                {"key": metrics.LOSS, "value": float("nan"), "timestamp": 9000, "step": 9},
                {"key": metrics.TOTAL_STEPS, "value": 4.0, "timestamp": 2000, "step": "2"},
            ],
            (2, 4, 50, None, {}),
        ),
    ],
)
def test_progress_of_latest_metrics(points: list[dict[str, object]], expected: tuple[object, ...] | None) -> None:
    progress = progress_of(points)
    found = progress and (progress.step, progress.total_steps, progress.percent, progress.seconds_left, progress.metrics)
    assert found == expected
