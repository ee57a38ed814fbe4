"""A real MLflow server that is down while a stage trains, and what has arrived afterwards."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.exit_codes import ExitCode
from alignment_api.journal import read_points
from alignment_api.names import SHIPPED_FILE
from alignment_trainer.tracking.shipping import is_shipped, left_behind
from alignment_trainer.tracking.uploader import Uploader
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.samples import Sample, Samples
from alignment_trainer.workspace.stage_folder import claim
from forked_programs import forked_programs
from mlflow import MlflowClient
from mlflow_server import MlflowServer

PATIENCE_SECONDS = 240
STEPS = 600
"""More points than fit into one batch."""


@pytest.fixture
def server(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "server.db")
    made = MlflowServer(tmp_path / "server.db", tmp_path / "files")
    yield made
    made.stop()


def at(config, server):
    """The same stage, with this server as its tracking server."""
    return config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": server.uri, "artifacts": None})})


def write(config, steps=STEPS):
    """Write the files that an attempt has written after so many steps."""
    stage = Path(config.paths.stage)
    claim(config)
    journal, samples = Journal(stage), Samples(stage)
    for step in range(1, steps + 1):
        journal.append(step, {"train/loss": 1 / step, "train/grad_norm": float(step)}, {metrics.TOTAL_STEPS: float(steps)})
    for step in (1, steps):
        samples.append([Sample(step=step, key=key, prompt=f"{key} it?", reference="Yes.", policy="No.") for key in ("is", "was")])


def ship(config, exit_code):
    uploader = Uploader(config)
    uploader.start()
    uploader.finish(exit_code)
    uploader.join()


def sync(*folders, **options):
    command = [sys.executable, "-m", "alignment_trainer.sync", *map(str, folders)]
    with forked_programs():
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def synced(*folders):
    process = sync(*folders)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output


def runs(config):
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    found = client.search_runs([experiment.experiment_id])
    assert len({run.data.tags.get(metrics.STAGE_TAG) for run in found}) == len(found), "a stage or the job has two runs"
    return client, {run.data.tags.get(metrics.STAGE_TAG): run for run in found}


def has_run(config):
    """Return whether the stage's run exists."""
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    tagged = f"tags.`{metrics.STAGE_TAG}` = '{config.stage_name}'"
    return experiment is not None and bool(client.search_runs([experiment.experiment_id], tagged))


def has_noted(stage):
    """Return whether it is noted that a part of the points has arrived."""
    record = stage / SHIPPED_FILE
    return record.exists() and json.loads(record.read_text())["offset"] > 0


def arrived_as_written(config, stage):
    """Check that each point has arrived exactly once, with its time."""
    client, found = runs(config)
    written, arrived = Counter(), Counter()
    points = list(read_points(stage / "metrics.jsonl"))
    for point in points:
        written.update((name, point.step, point.time, value) for name, value in point.metrics.items())
    run = found[stage.name]
    for name in {name for point in points for name in point.metrics}:
        arrived.update(
            (name, point.step, point.timestamp, point.value) for point in client.get_metric_history(run.info.run_id, name)
        )
    assert arrived == Counter(dict.fromkeys(written, 1))
    return run


def test_sync_ships_the_points_measured_while_the_server_was_down(server, tmp_path, trainer):
    config = at(trainer.config(tmp_path), server)
    stage = Path(config.paths.stage)
    write(config)
    ship(config, ExitCode.DONE)
    ended = time.time()
    assert left_behind(tmp_path) == [stage]
    code, output = synced(tmp_path)
    assert (code, output.count("error: ")) == (1, 1), output

    server.start()
    for _ in range(2):
        code, output = synced(tmp_path)
        assert code == 0, output
        run = arrived_as_written(config, stage)
    assert output == "", "the second had nothing to do"
    assert run.info.status == "FINISHED"
    assert run.info.start_time == next(read_points(stage / "metrics.jsonl")).time
    assert run.info.end_time <= ended * 1000
    # The job continues with its second stage.
    client, found = runs(config)
    assert found[None].info.status == "RUNNING"
    folder = client.download_artifacts(run.info.run_id, "samples", str(tmp_path))
    assert sorted(path.name for path in Path(folder).iterdir()) == ["step-1.json", f"step-{STEPS}.json"]


def test_after_a_killed_sync_the_next_one_completes(server, tmp_path, trainer):
    config = at(trainer.config(tmp_path, "dpo"), server)
    stage = Path(config.paths.stage)
    write(config)
    ship(config, ExitCode.DONE)
    server.start()
    # Once when the run is there and nothing of it noted, once when a part was.
    for moment in (lambda: has_run(config), lambda: has_noted(stage)):
        process = sync(tmp_path)
        limit = time.monotonic() + PATIENCE_SECONDS
        while not moment() and process.poll() is None:
            assert time.monotonic() < limit
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, output = synced(tmp_path)
    assert code == 0, output
    assert arrived_as_written(config, stage).info.status == "FINISHED"
    # It was the job's last stage.
    assert runs(config)[1][None].info.status == "FINISHED"


def test_the_next_stage_ships_what_the_previous_one_left(server, tmp_path, trainer):
    sft, dpo = (at(trainer.config(tmp_path, stage), server) for stage in ("sft", "dpo"))
    write(sft, steps=5)
    ship(sft, ExitCode.DONE)
    write(dpo, steps=5)
    server.start()
    ship(dpo, ExitCode.DONE)
    for config in (sft, dpo):
        assert arrived_as_written(config, Path(config.paths.stage)).info.status == "FINISHED"
    assert runs(dpo)[1][None].info.status == "FINISHED"
    assert left_behind(tmp_path) == []


def test_shipping_a_set_aside_stage_does_not_end_the_jobs_run(server, tmp_path, trainer):
    old, new = at(trainer.config(tmp_path), server), at(trainer.config(tmp_path, sft__optimization__maxSteps=2), server)
    write(old, steps=5)
    ship(old, ExitCode.DEFECT)
    write(new, steps=5)
    aside = Path(new.paths.stage).with_name(f"sft.{old.input_hash}")
    assert left_behind(tmp_path) == [Path(new.paths.stage), aside]
    server.start()
    assert synced(tmp_path)[0] == 0
    client = MlflowClient(server.uri)
    found = client.search_runs([client.get_experiment_by_name("tests").experiment_id])
    statuses = {run.data.tags[metrics.INPUT_HASH_TAG]: run.info.status for run in found if metrics.STAGE_TAG in run.data.tags}
    # Nobody said how the newer attempt ended: it may be at work.
    assert statuses == {old.input_hash: "FAILED", new.input_hash: "RUNNING"}
    of_job = {run.data.params["sft.maxSteps"]: run.info.status for run in found if metrics.STAGE_TAG not in run.data.tags}
    assert of_job == {str(trainer.steps): "FAILED", "2": "RUNNING"}


class Locked(BaseHTTPRequestHandler):
    """A proxy that requires a password before it forwards requests to MLflow."""

    def __init__(self, behind, *arguments):
        self.behind = behind
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def parse_request(self):
        is_known = super().parse_request()
        if is_known:
            self.answer()
        return False

    def answer(self):
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if base64.b64decode(given).decode() != "me:new":
            status, said = 401, b"who are you?"
        else:
            kind = self.headers.get("Content-Type", "application/octet-stream")
            request = urllib.request.Request(self.behind + self.path, body, {"Content-Type": kind}, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    status, said = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, said = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


def test_a_password_is_read_from_files_that_may_change(server, tmp_path, trainer, capfd, monkeypatch):
    for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(variable, "")
    (tmp_path / "username").write_text("me\n")
    (tmp_path / "password").write_text("old")
    server.start()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), partial(Locked, server.uri))
    threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    config = at(trainer.config(tmp_path), server)
    target = {"uri": f"http://127.0.0.1:{proxy.server_port}", "credentials": str(tmp_path)}
    locked = config.model_copy(update={"tracking": config.tracking.model_copy(update=target)})
    write(locked, steps=5)
    ship(locked, ExitCode.STOPPED)
    complaint = capfd.readouterr().err
    assert "cannot be used" in complaint and "401" in complaint and "old" not in complaint
    (tmp_path / "password").write_text("new\n")
    ship(locked, ExitCode.DONE)
    assert arrived_as_written(config, Path(config.paths.stage)).info.status == "FINISHED"
    proxy.shutdown()
    proxy.server_close()


def test_a_done_stage_ships_the_rest_when_its_pod_runs_again(server, finished, tmp_path, trainer):
    shutil.copytree(finished / "inputs", tmp_path / "inputs")
    shutil.copytree(finished / "job", tmp_path / "job")
    stage = tmp_path / "job" / "sft"
    (stage / "shipped.json").unlink()
    server.start()
    config = at(trainer.config(tmp_path), server)
    result = trainer.attempt(config, tmp_path).wait()
    assert (result.code, result.termination.reason) == (0, "Completed"), result.output
    run = arrived_as_written(config, stage)
    assert run.info.status == "FINISHED"
    assert run.data.params["hardware.devices"].startswith("2 × ")
    assert run.data.params["rows.sft.held_out"] == "16"
    assert is_shipped(stage)


@pytest.mark.parametrize(("folders", "code", "said"), [(["nowhere"], 2, "nowhere: is not a folder"), (["."], 0, "")])
def test_exit_codes_without_anything_to_ship(tmp_path, folders, code, said):
    found, output = synced(*(tmp_path / folder for folder in folders))
    assert (found, said in output) == (code, True), output
