"""Runs are read from a real MLflow database, and nothing is ever written to it."""

import base64
import hashlib
import json
import math
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.metrics import LOSS, REWARD_MARGIN
from alignment_dashboard.data import runs
from alignment_dashboard.data.runs import RunsUnavailable, read_histories, read_stage_runs, tracking_uri

Points = list[tuple[int, float]]
RunLogger = Callable[..., str]


def digest(path: Path) -> str:
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_stages_of_a_job_are_found_among_those_of_others(home: Home, log_run: RunLogger) -> None:
    sft = log_run("uid-a", "sft", {LOSS: [(1, 2.0)]})
    dpo = log_run("uid-a", "dpo", {LOSS: [(1, 0.7)]})
    log_run("uid-b", "sft", {LOSS: [(1, 9.0)]})
    found = read_stage_runs(home.tracking_uri, "uid-a")
    assert {stage: (run.run_id, run.kind) for stage, run in found.items()} == {"sft": (sft, "sft"), "dpo": (dpo, "dpo")}


def test_a_stage_begun_anew_shows_its_newest_run(home: Home, log_run: RunLogger) -> None:
    log_run("uid-a", "sft", {LOSS: [(1, 2.0)]})
    newest = log_run("uid-a", "sft", {LOSS: [(1, 1.0)]})
    assert read_stage_runs(home.tracking_uri, "uid-a")["sft"].run_id == newest


def test_the_run_that_began_last_is_shown_whatever_its_status_and_its_place(home: Home, log_run: RunLogger) -> None:
    from mlflow import MlflowClient

    client, began = MlflowClient(home.tracking_uri), int(time.time() * 1000)
    newest = log_run("uid-a", "sft", {LOSS: [(1, 1.0)]}, start_time=began - 1000)
    log_run("uid-a", "sft", {LOSS: [(1, 2.0)]}, start_time=began - 9000)
    log_run("uid-a", "sft", {LOSS: [(1, 3.0)]}, start_time=10**15)
    client.set_terminated(newest, "FAILED")
    assert read_stage_runs(home.tracking_uri, "uid-a")["sft"].run_id == newest


def test_experiments_and_runs_are_paged_through(home: Home, log_run: RunLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setattr(runs, "EXPERIMENTS_AT_ONCE", 2)
    monkeypatch.setattr(runs, "RUNS_AT_ONCE", 2)
    client = MlflowClient(home.tracking_uri)
    experiments = [client.create_experiment(f"team-{number}") for number in range(4)]
    expected = {}
    for number, experiment in enumerate(experiments * 3):
        expected[f"stage-{number}"] = log_run("uid-a", f"stage-{number}", {}, experiment_id=experiment)
    assert {stage: run.run_id for stage, run in read_stage_runs(home.tracking_uri, "uid-a").items()} == expected


@pytest.mark.parametrize("uid", ["uid-none", "o'clock", "`", ""])
def test_a_job_that_never_logged_has_no_runs(home: Home, log_run: RunLogger, uid: str) -> None:
    log_run("uid-a", "sft", {})
    assert read_stage_runs(home.tracking_uri, uid) == {}


@pytest.mark.parametrize(
    ("situation", "logged", "read"),
    [
        ("in order", [(1, 3.0), (2, 2.0)], [(1, 3.0), (2, 2.0)]),
        ("logged out of order", [(2, 2.0), (1, 3.0)], [(1, 3.0), (2, 2.0)]),
        ("steps repeated after a resume", [(1, 3.0), (2, 2.0), (3, 1.9), (2, 2.1)], [(1, 3.0), (2, 2.1), (3, 1.9)]),
        ("diverged", [(1, 3.0), (2, math.inf)], [(1, 3.0), (2, math.inf)]),
    ],
)
def test_histories(home: Home, log_run: RunLogger, situation: str, logged: Points, read: Points) -> None:
    log_run("uid-a", "sft", {LOSS: logged})
    run = read_stage_runs(home.tracking_uri, "uid-a")["sft"]
    assert read_histories(home.tracking_uri, run, (LOSS, REWARD_MARGIN)) == {LOSS: tuple(read)}, situation


def test_not_a_number_stays_not_a_number(home: Home, log_run: RunLogger) -> None:
    log_run("uid-a", "sft", {LOSS: [(1, math.nan)]})
    run = read_stage_runs(home.tracking_uri, "uid-a")["sft"]
    assert math.isnan(read_histories(home.tracking_uri, run, (LOSS,))[LOSS][0].value)


def test_new_points_are_seen(home: Home, log_run: RunLogger) -> None:
    from mlflow import MlflowClient

    run_id = log_run("uid-a", "sft", {LOSS: [(1, 3.0)]})
    before = read_stage_runs(home.tracking_uri, "uid-a")["sft"]
    assert len(read_histories(home.tracking_uri, before, (LOSS,))[LOSS]) == 1
    MlflowClient(home.tracking_uri).log_metric(run_id, LOSS, 2.0, step=2)
    after = read_stage_runs(home.tracking_uri, "uid-a")["sft"]
    assert len(read_histories(home.tracking_uri, after, (LOSS,))[LOSS]) == 2


def test_a_missing_database_is_not_made(home: Home) -> None:
    with pytest.raises(RunsUnavailable, match=r"the first stage creates .* when it starts"):
        read_stage_runs(home.tracking_uri, "uid-a")
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("situation", "change"),
    [
        ("no tables", None),
        ("tables of an older schema", "UPDATE alembic_version SET version_num = 'older'"),
        ("schema made, first experiment not", "DELETE FROM experiments"),
        ("a table not made yet", "DROP TABLE alembic_version"),
    ],
)
def test_a_half_made_database_is_left_alone(home: Home, empty_database: Path, situation: str, change: str | None) -> None:
    home.root.mkdir(parents=True)
    path = home.root / "mlflow.db"
    if change is None:
        path.touch()
    else:
        path.write_bytes(empty_database.read_bytes())
        connection = sqlite3.connect(path)
        connection.execute(change)
        connection.commit()
        connection.close()
    before = digest(path)
    with pytest.raises(RunsUnavailable, match="No metrics yet"):
        read_stage_runs(home.tracking_uri, "uid-a")
    assert digest(path) == before, situation


def test_a_file_that_is_no_database(home: Home) -> None:
    home.root.mkdir(parents=True)
    (home.root / "mlflow.db").write_text("not a database, but long enough to be looked at" * 10)
    with pytest.raises(RunsUnavailable, match="cannot be read"):
        read_stage_runs(home.tracking_uri, "uid-a")


def test_a_database_that_was_removed_and_made_anew_is_read_anew(home: Home, log_run: RunLogger, empty_database: Path) -> None:
    log_run("uid-a", "sft", {LOSS: [(1, 2.0)]})
    assert read_stage_runs(home.tracking_uri, "uid-a")
    path = home.root / "mlflow.db"
    path.unlink()
    path.write_bytes(empty_database.read_bytes())
    assert read_stage_runs(home.tracking_uri, "uid-a") == {}


def test_reading_writes_nothing(home: Home, log_run: RunLogger) -> None:
    log_run("uid-a", "sft", {LOSS: [(1, 2.0)]})
    before = digest(home.root / "mlflow.db")
    read_histories(home.tracking_uri, read_stage_runs(home.tracking_uri, "uid-a")["sft"], (LOSS,))
    assert digest(home.root / "mlflow.db") == before


def test_a_server_that_is_away_is_said_in_one_line() -> None:
    with pytest.raises(RunsUnavailable, match=r"MLflow at http://127\.0\.0\.1:9 cannot be read") as caught:
        read_stage_runs("http://127.0.0.1:9", "uid-a")
    assert "\n" not in str(caught.value)


class _Locked(BaseHTTPRequestHandler):
    """Refuses, and repeats the name and password of the request."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": f"I know no {given!r}"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()


def test_a_server_that_asks_for_a_password_gets_it_from_files(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(variable, "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Locked)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv(runs.CREDENTIALS_VARIABLE, str(tmp_path))
    with pytest.raises(RunsUnavailable, match=r"No such file.*username"):
        read_stage_runs(uri, "uid-a")
    for password in ("old", "new"):
        (tmp_path / "username").write_text("me\n")
        (tmp_path / "password").write_text(password)
        with pytest.raises(RunsUnavailable, match=f"I know no 'me:{password}'"):
            read_stage_runs(uri, "uid-a")
    server.shutdown()
    server.server_close()


def test_a_page_shows_no_password_of_an_address() -> None:
    with pytest.raises(RunsUnavailable, match=r"MLflow at http://127\.0\.0\.1:9 cannot be read") as caught:
        read_stage_runs("http://me:secret@127.0.0.1:9", "uid-a")
    assert "secret" not in str(caught.value)


def test_the_environment_names_another_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking_uri() == home.tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert tracking_uri() == "http://mlflow:5000"


def test_reading_runs_never_brings_torch_nor_the_other_programs() -> None:
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, alignment_dashboard.data.runs, alignment_dashboard.cache, alignment_dashboard.__main__\n"
            "print(*{'torch', 'alignment_operator', 'alignment_trainer'} & set(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == ""


def test_jobs_of_a_cluster_need_a_server_that_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNMENT_SOURCE", "kubernetes")
    with pytest.raises(RunsUnavailable, match="Set MLFLOW_TRACKING_URI"):
        tracking_uri()
