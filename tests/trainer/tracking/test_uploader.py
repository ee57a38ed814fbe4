import errno
import re
import time
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.exit_codes import ExitCode
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE
from alignment_trainer.tracking import uploader as uploading
from alignment_trainer.tracking.shipping import is_shipped
from alignment_trainer.tracking.uploader import Uploader
from alignment_trainer.workspace.journal import Journal
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One database for all tests of this module, because creating one takes seconds."""
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture
def config(root, trainer, request):
    config = trainer.config(root)
    own = {"job": config.job.model_copy(update={"uid": request.node.name})}
    own["paths"] = config.paths.model_copy(update={"stage": str(root / request.node.name)})
    (root / request.node.name).mkdir()
    return config.model_copy(update=own)


def write(config, steps):
    journal = Journal(Path(config.paths.stage))
    for step in steps:
        journal.append(step, {"train/loss": 1 / step}, {metrics.TOTAL_STEPS: 10.0})


def ship(config, exit_code):
    uploader = Uploader(config)
    uploader.start()
    uploader.finish(exit_code)
    uploader.join()


def runs(config):
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    found = client.search_runs([experiment.experiment_id], f"tags.`{metrics.JOB_UID_TAG}` = '{config.job.uid}'")
    return client, {run.data.tags.get(metrics.STAGE_TAG): run for run in found}, len(found)


def steps_arrived(config, name="train/loss"):
    client, found, _ = runs(config)
    return [point.step for point in client.get_metric_history(found["sft"].info.run_id, name)]


def test_a_stage_is_a_run_below_its_jobs(config):
    write(config, range(1, 4))
    ship(config, ExitCode.DONE)
    _, found, count = runs(config)
    assert count == 2
    assert found["sft"].data.tags[metrics.PARENT_TAG] == found[None].info.run_id
    assert found["sft"].data.tags[metrics.INPUT_HASH_TAG] == config.input_hash
    assert found["sft"].data.params["optimization.learningRate"] == "0.003"
    assert found["sft"].data.params["world_size"] == "2"
    assert found["sft"].info.status == "FINISHED"
    # The second stage of the job follows.
    assert found[None].info.status == "RUNNING"


def test_the_next_attempt_continues_the_run(config):
    write(config, range(1, 4))
    ship(config, ExitCode.STOPPED)
    assert runs(config)[1]["sft"].info.status == "KILLED"
    write(config, range(2, 4))
    again = config.model_copy(update={"attempt": 2})
    ship(again, ExitCode.STOPPED)
    # The steps that are trained again are measured once, and their progress has a time all the same.
    *_, last = read_points(Path(config.paths.stage) / METRICS_FILE)
    assert runs(config)[1]["sft"].data.tags[metrics.PROGRESS_TIME_TAG] == str(last.time)
    write(config, range(4, 7))
    ship(again, ExitCode.DONE)
    assert runs(config)[2] == 2
    for name in ("train/loss", metrics.TOTAL_STEPS):
        assert steps_arrived(config, name) == [1, 2, 3, 4, 5, 6]


def test_points_shipped_but_not_recorded_are_not_logged_twice(config):
    write(config, range(1, 4))
    ship(config, ExitCode.STOPPED)
    (Path(config.paths.stage) / "shipped.json").unlink()
    ship(config, ExitCode.STOPPED)
    assert steps_arrived(config) == [1, 2, 3]


def test_a_damaged_record_is_named_in_a_sentence(config):
    write(config, range(1, 4))
    record = Path(config.paths.stage) / "shipped.json"
    for damaged, why in (("{", "the document: is not JSON"), ("{}", "run_id: is missing; add it")):
        record.write_text(damaged)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(record))} is damaged, or of another version: {why}"):
            is_shipped(Path(config.paths.stage))


def test_without_a_server_nothing_fails_and_nothing_is_lost(config, capfd):
    away = config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": "http://127.0.0.1:9"})})
    write(config, range(1, 4))
    ship(away, ExitCode.STOPPED)
    complaints = [line for line in capfd.readouterr().err.splitlines() if "cannot be used" in line]
    assert len(complaints) == 1
    assert "(ConnectionRefusedError: [Errno 111] Connection refused)" in complaints[0]
    assert complaints[0].endswith("or by `python -m alignment_trainer.sync`")
    assert len(complaints[0].replace(str(away.paths.stage), "")) <= 250
    ship(config, ExitCode.DONE)
    assert steps_arrived(config) == [1, 2, 3]


def test_a_database_that_cannot_be_opened_is_reported_in_one_sentence(config, root, capfd, monkeypatch):
    monkeypatch.setattr(uploading, "FLUSH_SECONDS", 3)
    monkeypatch.setenv(uploading.SYNC_VARIABLE, "alignment sync --home there")
    away = config.model_copy(update={"tracking": config.tracking.model_copy(update={"uri": f"sqlite:///{root}"})})
    write(config, range(1, 4))
    uploader = Uploader(away)
    uploader.start()
    began = time.monotonic()
    uploader.finish(ExitCode.DONE)
    assert time.monotonic() - began < 10
    (complaint,) = capfd.readouterr().err.splitlines()
    assert complaint.startswith(f"MLflow at sqlite:///{root} cannot be used (")
    assert complaint.endswith("or by `alignment sync --home there`")


def test_an_ending_for_which_the_disk_has_no_room_is_reported_and_ends_nothing(config, capfd, monkeypatch):
    def refuse(stage, status):
        raise OSError(errno.ENOSPC, "No space left on device", f"{stage}/ending.json")

    monkeypatch.setattr(uploading, "record_ending", refuse)
    following = Uploader(config, is_live=False)
    monkeypatch.setattr(following, "drain", lambda: None)
    following.finish(ExitCode.UNAVAILABLE)
    assert "ending.json could not be written (No space left on device)" in capfd.readouterr().err
