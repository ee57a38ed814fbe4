"""A real MLflow is asked about all running stages; nothing that a pod writes there hides another job."""

import asyncio
import base64
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from alignment_api import metrics
from alignment_operator.deciding.observation import FirstPod
from alignment_operator.progress.tracked_progress import TrackedProgress, progress_of
from alignment_operator.progress.tracked_runs import Point, TrackedRun
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow_server import served_mlflow
from ports import free_port
from pydantic import ValidationError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(empty_database, folder)
    with served_mlflow(folder) as uri:
        yield uri


def log(client: MlflowClient, run_id: str, step: int, time_ms: int, **values: float) -> None:
    names = {"loss": metrics.LOSS, "total": metrics.TOTAL_STEPS, "left": metrics.SECONDS_LEFT}
    client.log_batch(run_id, [Metric(names[name], value, time_ms, step) for name, value in values.items()])


def a_run(
    client: MlflowClient, job_uid: str, stage: str | None = None, start_time: int | None = None, experiment: str = "0"
) -> str:
    tags = {metrics.JOB_UID_TAG: job_uid, **({metrics.STAGE_TAG: stage} if stage else {})}
    return str(client.create_run(experiment, start_time, tags).info.run_id)


def ask(reader: TrackedProgress, *job_uids: str, stage: str = "sft") -> set[str]:
    return asyncio.run(reader.refresh([FirstPod(uid, stage, 1, "10.0.0.1") for uid in job_uids]))


@pytest.fixture
def uid(request: pytest.FixtureRequest) -> str:
    """A job of the test's own: all share one server."""
    return f"u-{abs(hash(request.node.name))}"


def test_a_job_is_read_with_its_stages_and_its_run(server: str, uid: str) -> None:
    client = MlflowClient(server)
    experiment = client.create_experiment("team")
    parent = a_run(client, uid, experiment=experiment)
    child = a_run(client, uid, "sft", experiment=experiment)
    client.create_run(experiment)
    reader = TrackedProgress(server, "https://mlflow.example/")
    log(client, child, 3, 3000, loss=0.5, total=10, left=70.4)
    assert ask(reader, uid) == {uid}
    progress = reader.progress(uid)["sft"]
    assert (progress.step, progress.total_steps, progress.percent, progress.seconds_left) == (3, 10, 30, 70)
    assert progress.metrics == {metrics.LOSS: 0.5}
    assert progress.updated_time == datetime.fromtimestamp(3, UTC)
    assert reader.run_ids(uid) == {"sft": child}
    tracking = reader.parent(uid)
    assert tracking is not None and tracking.url == f"https://mlflow.example/#/experiments/{experiment}/runs/{parent}"
    assert reader.silence is None
    assert ask(reader, uid) == set()
    log(client, child, 4, 4000, loss=0.4)
    assert ask(reader, uid) == {uid}
    # Steps are trained again: there is no newer measurement.
    for said, moment in (("x", 4), ("3500", 4), ("9000", 9), ("9" * 30, 4)):
        client.set_tag(child, metrics.PROGRESS_TIME_TAG, said)
        ask(reader, uid)
        assert reader.progress(uid)["sft"].updated_time == datetime.fromtimestamp(moment, UTC)
    assert reader.progress("another") == {} and reader.parent("another") is None


def test_the_newest_run_of_a_stage_counts_whatever_its_status(server: str, uid: str) -> None:
    client, reader = MlflowClient(server), TrackedProgress(server, None)
    started = int(time.time() * 1000)
    old, new = a_run(client, uid, "sft", started - 9000), a_run(client, uid, "sft", started - 5000)
    log(client, old, 9, 9000, total=10)
    log(client, new, 2, 2000, total=10)
    found = []
    for situation in (lambda: None, lambda: client.set_terminated(new, "KILLED"), lambda: client.update_run(new, "RUNNING")):
        situation()
        ask(reader, uid)
        found.append((reader.run_ids(uid)["sft"], reader.progress(uid)["sft"].step))
    client.set_terminated(new, "FAILED")
    ask(restarted := TrackedProgress(server, None), uid)
    found.append((restarted.run_ids(uid)["sft"], restarted.progress(uid)["sft"].step))
    log(client, new, 3, 3000, loss=0.5)
    ask(restarted, uid)
    assert restarted.progress(uid)["sft"].step == 3
    assert found == [(new, 2)] * 4


def test_experiments_and_runs_are_paged_through(server: str, uid: str) -> None:
    client = MlflowClient(server)
    experiments = [client.create_experiment(f"{uid}-{number}") for number in range(5)]
    expected = {}
    for number, experiment in enumerate(experiments * 3):
        run = a_run(client, f"{uid}-{number}", "sft", experiment=experiment)
        log(client, run, number, 1000, total=100)
        expected[f"{uid}-{number}"] = {"sft": number}
    reader = TrackedProgress(server, None, page_size=2)
    ask(reader, *expected)
    assert reader.silence is None
    assert {one: {stage: progress.step for stage, progress in reader.progress(one).items()} for one in expected} == expected


FUTURE = 10**15


@pytest.mark.parametrize(
    ("situation", "tags", "points"),
    [
        ("no stage", {}, []),
        ("no name of a stage", {metrics.STAGE_TAG: "  "}, [(metrics.TOTAL_STEPS, 10, 1000, 1)]),
        ("a strange stage", {metrics.STAGE_TAG: "x" * 4000}, [(metrics.TOTAL_STEPS, 10, 1000, 1)]),
        ("no end of steps", {metrics.STAGE_TAG: "sft"}, [(metrics.TOTAL_STEPS, 1e30, 1000, 2**60), (metrics.LOSS, 1, 1, 1)]),
        ("not a number", {metrics.STAGE_TAG: "sft"}, [(metrics.TOTAL_STEPS, float("nan"), 1000, 1)]),
        ("the largest number", {metrics.STAGE_TAG: "sft"}, [(metrics.TOTAL_STEPS, float("inf"), 1000, 1)]),
        ("in the far future", {metrics.STAGE_TAG: "sft"}, [(metrics.TOTAL_STEPS, 10, 2**60, 1)]),
        ("ages left", {metrics.STAGE_TAG: "sft"}, [(metrics.TOTAL_STEPS, 10, 1, 1), (metrics.SECONDS_LEFT, 1e300, 1, 1)]),
    ],
)
def test_a_malformed_run_hides_no_other_job(
    server: str, uid: str, situation: str, tags: dict[str, str], points: list[tuple[str, float, int, int]]
) -> None:
    client, reader = MlflowClient(server), TrackedProgress(server, None)
    bad = client.create_run("0", tags={metrics.JOB_UID_TAG: f"{uid}-bad", **tags}).info.run_id
    client.log_batch(bad, [Metric(*point) for point in points])
    log(client, a_run(client, uid, "sft"), 3, 3000, total=10)
    ask(reader, f"{uid}-bad", uid)
    assert reader.silence is None, situation
    assert reader.progress(uid)["sft"].step == 3
    progress = reader.progress(f"{uid}-bad").get("sft")
    if progress:
        assert progress.step <= progress.total_steps <= 100_000_000 and (progress.seconds_left or 0) < 2**31
        assert progress.updated_time <= datetime.now(UTC)


def test_a_stall_is_seen_although_times_are_in_the_future(server: str, uid: str) -> None:
    client, reader = MlflowClient(server), TrackedProgress(server, None)
    log(client, a_run(client, uid, "sft"), 3, FUTURE, total=10)
    ask(reader, uid)
    first = reader.progress(uid)["sft"].updated_time
    time.sleep(1.1)
    assert ask(reader, uid) == set()
    assert reader.progress(uid)["sft"].updated_time == first


def test_a_run_that_starts_in_the_far_future_is_not_the_stages_run(server: str, uid: str) -> None:
    client, reader = MlflowClient(server), TrackedProgress(server, None)
    mine = a_run(client, uid, "sft")
    a_run(client, uid, "sft", FUTURE)
    ask(reader, uid)
    assert reader.run_ids(uid) == {"sft": mine}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"info": {}},
        {"info": {"run_id": "a" * 65, "experiment_id": "1"}},
        {"info": {"run_id": "a/../b", "experiment_id": "1"}},
        {"info": {"run_id": "a", "experiment_id": "1", "start_time": "soon"}},
        {"info": {"run_id": "a", "experiment_id": "1"}, "data": {"tags": [{"value": "no key"}]}},
        {"info": {"run_id": "a", "experiment_id": "1"}, "data": {"metrics": [{"key": "k", "value": "many"}]}},
        {"info": {"run_id": "a", "experiment_id": "1"}, "data": {"metrics": [{"key": "k", "value": 1, "step": "next"}]}},
    ],
)
def test_a_document_that_is_not_a_run_is_recognised(document: object) -> None:
    with pytest.raises(ValidationError):
        TrackedRun.model_validate(document)


def test_silence_is_reported_until_mlflow_answers(server: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    reader = TrackedProgress(f"http://{address}/", None)
    assert ask(reader, "u1") == {"u1"}
    assert ask(reader, "u1") == set()
    silence = reader.silence
    assert silence is not None
    assert silence.startswith(f"MLflow at http://{address} has not answered since ")
    reader._uri = server  # the server is back
    assert ask(reader, "u1") == {"u1"}
    assert reader.silence is None


def test_the_reason_of_a_silence_contains_no_password() -> None:
    reader = TrackedProgress("http://me:secret@127.0.0.1:9", None)
    ask(reader, "u1")
    assert reader.silence is not None and "secret" not in reader.silence and "127.0.0.1:9" in reader.silence


class _Locked(BaseHTTPRequestHandler):
    """Forwards requests with the password to a server, as a proxy before MLflow does."""

    asked: ClassVar[list[str]] = []
    fails_at: ClassVar[set[int]] = set()

    def __init__(self, behind: str, *arguments: Any) -> None:
        self.behind = behind
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.asked.append(self.path)
        if len(self.asked) in self.fails_at:
            self.send_error(500)
            return
        wanted = base64.b64encode("me:pä:ss".encode()).decode()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Basic {wanted}":
            status, content = 401, b"who are you?"
        else:
            request = urllib.request.Request(self.behind + self.path, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, content = answer.status, answer.read()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def locked(server: str) -> Iterator[str]:
    _Locked.asked.clear()
    _Locked.fails_at.clear()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Locked, server))
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{proxy.server_port}"
    proxy.shutdown()
    proxy.server_close()


def test_the_password_for_a_server_is_read_from_files_that_may_change(server: str, locked: str, uid: str, tmp_path: Path) -> None:
    log(client := MlflowClient(server), a_run(client, uid, "sft"), 3, 3000, total=10)
    reader = TrackedProgress(locked, None, tmp_path)
    ask(reader, uid)
    assert "FileNotFoundError" in (reader.silence or "")
    (tmp_path / "username").write_text("me\n")
    (tmp_path / "password").write_text("old")
    ask(reader, uid)
    assert "401" in (reader.silence or "")
    (tmp_path / "password").write_text("pä:ss\n")
    ask(reader, uid)
    assert reader.silence is None
    assert reader.progress(uid)["sft"].step == 3


@pytest.mark.parametrize(("fails_at", "is_silent"), [({1}, False), ({2, 3}, False), ({2, 3, 4}, True)])
def test_a_server_error_is_retried(
    server: str, locked: str, uid: str, tmp_path: Path, fails_at: set[int], is_silent: bool
) -> None:
    (tmp_path / "username").write_text("me")
    (tmp_path / "password").write_text("pä:ss")
    _Locked.fails_at |= fails_at
    ask(reader := TrackedProgress(locked, None, tmp_path), uid)
    assert (reader.silence is not None) == is_silent
    assert not is_silent or "500" in (reader.silence or "")


def test_one_request_covers_all_jobs_while_their_runs_are_settled(server: str, locked: str, uid: str, tmp_path: Path) -> None:
    client = MlflowClient(server)
    (tmp_path / "username").write_text("me")
    (tmp_path / "password").write_text("pä:ss")
    jobs = [f"{uid}-{number}" for number in range(5)]
    runs = {job: a_run(client, job, "sft") for job in jobs}
    reader = TrackedProgress(locked, None, tmp_path)
    ask(reader, *jobs)
    _Locked.asked.clear()
    ask(reader, *jobs)
    steady = ["/api/2.0/mlflow/experiments/search", "/api/2.0/mlflow/runs/search"]
    assert _Locked.asked == steady
    client.set_terminated(runs[jobs[0]], "FINISHED")
    ask(reader, *jobs)
    assert _Locked.asked == [*steady, *steady, steady[1]]
    assert reader.run_ids(jobs[0]) == {"sft": runs[jobs[0]]}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], None),
        ([{"key": metrics.LOSS, "value": 1.0, "timestamp": 1000, "step": 1}], None),
        ([{"key": metrics.TOTAL_STEPS, "value": 0.0, "timestamp": 1000, "step": 0}], None),
        (
            [
                {"key": metrics.LOSS, "value": "NaN", "timestamp": 9000, "step": 3},
                {"key": metrics.TOTAL_STEPS, "value": 4.0, "timestamp": 2000, "step": "2"},
            ],
            (3, 4, 75, None, {}),
        ),
    ],
)
def test_progress_of_latest_metrics(points: list[dict[str, object]], expected: tuple[object, ...] | None) -> None:
    progress = progress_of([Point.model_validate(point) for point in points], datetime.now(UTC))
    found = progress and (progress.step, progress.total_steps, progress.percent, progress.seconds_left, progress.metrics)
    assert found == expected
