"""The run that a stage's folder resumes: its own, else the stage's newest if it has the same inputs."""

import shutil
import time
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.runs import RunIds
from alignment_trainer.tracking import tracked_runs
from alignment_trainer.tracking.tracked_runs import TrackedRuns
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def database(tmp_path_factory, empty_database):
    """A database with the experiment of all tests of this module; copy it, and never write to it."""
    database = Path(shutil.copy(empty_database, tmp_path_factory.mktemp("database")))
    MlflowClient(f"sqlite:///{database}").create_experiment("tests")
    return database


@pytest.fixture
def config(database, tmp_path, trainer):
    shutil.copy(database, tmp_path / "mlflow.db")
    made = trainer.config(tmp_path)
    Path(made.paths.stage).mkdir(parents=True)
    return made


def begun(config, seconds_ago=0):
    return int((time.time() - seconds_ago) * 1000)


def with_inputs(config, input_hash):
    return config.model_copy(update={"input_hash": input_hash})


def test_the_next_attempt_resumes_the_newest_run(config):
    first = TrackedRuns(config, True, begun(config, 60)).ids.run_id
    assert TrackedRuns(config, True, None).ids.run_id == first


def test_a_run_says_where_its_stage_stands_in_the_spec(config):
    run = MlflowClient(config.tracking.uri).get_run(TrackedRuns(config, True, None).ids.run_id)
    assert run.data.tags[metrics.STAGE_INDEX_TAG] == str(config.stage_index)


def test_of_several_runs_the_newest_is_resumed_whatever_its_status(config):
    client = MlflowClient(config.tracking.uri)
    first = TrackedRuns(config, True, begun(config, 60))
    tags = client.get_run(first.ids.run_id).data.tags
    experiment = client.get_experiment_by_name("tests").experiment_id
    newest = client.create_run(experiment, begun(config, 20), tags).info.run_id
    client.create_run(experiment, begun(config, 40), tags)
    client.create_run(experiment, begun(config, -(10**9)), tags)
    client.set_terminated(newest, "FAILED")
    assert TrackedRuns(config, True, None).ids.run_id == newest


def test_earlier_inputs_start_a_new_run_which_is_the_newest_again(config):
    old = TrackedRuns(with_inputs(config, "a"), True, begun(config, 60)).ids.run_id
    between = TrackedRuns(with_inputs(config, "b"), True, begun(config, 40)).ids.run_id
    again = TrackedRuns(with_inputs(config, "a"), True, None).ids.run_id
    assert len({old, between, again}) == 3
    assert TrackedRuns(with_inputs(config, "a"), True, None).ids.run_id == again


def test_a_renamed_folder_is_shipped_to_its_own_run(config):
    old = TrackedRuns(with_inputs(config, "a"), True, begun(config, 60)).ids.run_id
    TrackedRuns(with_inputs(config, "b"), True, begun(config, 40))
    again = TrackedRuns(with_inputs(config, "a"), True, None).ids.run_id
    assert TrackedRuns(with_inputs(config, "a"), False, None, RunIds(run_id=old)).ids.run_id == old
    assert TrackedRuns(with_inputs(config, "a"), False, None).ids.run_id == again


def test_a_folder_resumes_the_run_that_it_was_shipped_to(config):
    client = MlflowClient(config.tracking.uri)
    own = TrackedRuns(config, True, begun(config, 60)).ids.run_id
    tags = client.get_run(own).data.tags | {metrics.INPUT_HASH_TAG: "another"}
    client.create_run(client.get_experiment_by_name("tests").experiment_id, None, tags)
    assert TrackedRuns(config, True, None, RunIds(run_id=own)).ids.run_id == own


def job_runs(config):
    """Return the runs of the whole job, the newest first."""
    client = MlflowClient(config.tracking.uri)
    found = client.search_runs([client.get_experiment_by_name("tests").experiment_id], order_by=["attributes.start_time DESC"])
    return [run for run in found if metrics.STAGE_TAG not in run.data.tags]


def test_a_change_of_settings_starts_a_new_run_of_the_job(config, trainer, tmp_path):
    first = TrackedRuns(config, True, begun(config, 60))
    edited = trainer.config(tmp_path, "dpo", dpo__beta=0.3)
    second = TrackedRuns(edited, True, begun(config, 40))
    newest, oldest = job_runs(config)
    assert (newest.info.run_id, newest.data.params["dpo.beta"]) == (second.ids.job_run_id, "0.3")
    assert (oldest.info.run_id, oldest.data.params["dpo.beta"]) == (first.ids.job_run_id, "0.1")
    # No process works on it any more.
    assert (newest.info.status, oldest.info.status) == ("RUNNING", "KILLED")
    assert TrackedRuns(edited, True, None).ids == second.ids


def test_other_hardware_continues_the_run_of_the_job(config, trainer, tmp_path):
    first = TrackedRuns(config, True, begun(config, 60))
    moved = trainer.config(tmp_path, compute__microBatchSize=2)
    assert TrackedRuns(moved, True, None).ids == first.ids
    (run,) = job_runs(config)
    assert run.data.params["sft.microBatchSize"] == "4"


def test_a_run_of_an_earlier_version_gets_the_parameters(config):
    client = MlflowClient(config.tracking.uri)
    experiment = client.get_experiment_by_name("tests").experiment_id
    old = client.create_run(experiment, begun(config, 60), {metrics.JOB_UID_TAG: config.job.uid}).info.run_id
    assert TrackedRuns(config, True, None).ids.job_run_id == old
    assert job_runs(config)[0].data.params["dpo.beta"] == "0.1"


def test_runs_are_paged_through(config, monkeypatch):
    monkeypatch.setattr(tracked_runs, "_RUNS_AT_ONCE", 2)
    client = MlflowClient(config.tracking.uri)
    own = TrackedRuns(config, True, begun(config, 60)).ids.run_id
    experiment = client.get_experiment_by_name("tests").experiment_id
    for number in range(5):
        tags = {metrics.JOB_UID_TAG: config.job.uid, metrics.STAGE_TAG: f"stage-{number}"}
        client.create_run(experiment, None, tags)
    assert TrackedRuns(config, True, None).ids.run_id == own


def test_no_other_process_of_a_pod_gets_the_password(own_workspace, trainer):
    for name in ("username", "password"):
        (own_workspace / name).write_text("hunter2")
    config = trainer.config(own_workspace, sft__optimization__maxSteps=10_000)
    target = {"uri": "http://127.0.0.1:9", "credentials": str(own_workspace)}
    attempt = trainer.attempt(config.model_copy(update={"tracking": config.tracking.model_copy(update=target)}), own_workspace)
    attempt.wait_until(attempt.has_checkpoint)
    processes = attempt.processes()
    assert len(processes["rank"]) == 2
    for number in [attempt.process.pid, *processes["torchrun"], *processes["rank"]]:
        assert "hunter2" not in Path(f"/proc/{number}/environ").read_text()
    attempt.stop()
    result = attempt.wait()
    assert "cannot be used" in result.output and "hunter2" not in result.output
