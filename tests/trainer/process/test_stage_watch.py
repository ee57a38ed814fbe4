"""The heartbeat of a stage's folder, also before the stage claims it."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from alignment_api import metrics
from alignment_api.heartbeat import Activity
from alignment_api.problems import Problem
from alignment_trainer.process.stage_watch import StageWatch
from alignment_trainer.workspace.base_record import BaseRecord, write_base
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.stage_folder import claim
from alignment_trainer.workspace.stage_warnings import warn


@pytest.fixture
def config(tmp_path, trainer):
    return trainer.config(tmp_path)


@pytest.fixture
def stage(tmp_path):
    return tmp_path / "job" / "sft"


def seen(watch):
    watch.look_at_folder()
    return watch.heartbeat()


def do(stage, what, moment):
    activity = Activity(what=what, done=1, total=2, unit="rows", time=moment)
    (stage / "activity.json").write_text(activity.model_dump_json(by_alias=True))


def test_a_stage_is_alive_before_its_folder_exists(config):
    heartbeat = seen(StageWatch(config))
    assert (heartbeat.job_uid, heartbeat.stage, heartbeat.attempt) == ("0badcafe-1", "sft", 1)
    assert (heartbeat.step, heartbeat.activity, heartbeat.progress_time, heartbeat.last_checkpoint) == (None,) * 4
    assert datetime.now(UTC) - heartbeat.alive_time < timedelta(minutes=1)


def test_the_work_of_other_inputs_is_no_progress(config, stage):
    claim(config.model_copy(update={"input_hash": "another"}))
    Journal(stage).append(24, {metrics.LOSS: 0.1}, {metrics.TOTAL_STEPS: 24.0})
    (stage / "checkpoints" / "step-24").mkdir(parents=True)
    now = datetime.now(UTC)
    do(stage, "checking rows", now)
    watch = StageWatch(config)
    heartbeat = seen(watch)
    assert (heartbeat.step, heartbeat.last_checkpoint, heartbeat.progress_time) == (None, None, now)
    assert heartbeat.activity.what == "checking rows"
    claim(config)
    assert seen(watch).step is None


def test_steps_are_reported_as_they_are_done(config, stage):
    claim(config)
    watch, journal = StageWatch(config), Journal(stage)
    journal.append(0, {}, {metrics.TOTAL_STEPS: 24.0})
    assert (seen(watch).step, seen(watch).total_steps, seen(watch).seconds_left) == (0, 24, None)
    journal.append(1, {metrics.LOSS: 2.5, metrics.TOKENS: 100.0}, {metrics.SECONDS_LEFT: 46.0})
    (stage / "checkpoints" / "step-1").mkdir(parents=True)
    heartbeat = seen(watch)
    assert (heartbeat.step, heartbeat.seconds_left, heartbeat.metrics) == (1, 46, {metrics.LOSS: 2.5})
    assert heartbeat.last_checkpoint == 1
    assert datetime.now(UTC) - heartbeat.progress_time < timedelta(minutes=1)


def test_steps_of_an_earlier_attempt_do_not_count_for_this_one(config, stage):
    claim(config)
    journal = Journal(stage)
    journal.append(0, {}, {metrics.TOTAL_STEPS: 24.0})
    journal.append(1, {metrics.LOSS: 2.5}, {metrics.SECONDS_LEFT: 46.0})
    time.sleep(0.01)
    watch = StageWatch(config)
    assert (seen(watch).step, seen(watch).has_stepped, seen(watch).seconds_left) == (1, False, None)
    journal.append(1, {}, {metrics.TOTAL_STEPS: 24.0})
    assert not seen(watch).has_stepped
    # The same step again, as after a restart: its values are known, but it was trained in this attempt.
    journal.append(1, {metrics.LOSS: 2.5}, {metrics.SECONDS_LEFT: 46.0})
    assert seen(watch).has_stepped


def test_times_can_be_read_as_ages_even_if_clocks_differ(config):
    heartbeat = StageWatch(config).heartbeat()
    assert heartbeat.alive_time <= heartbeat.time <= datetime.now(UTC)


def test_the_newer_of_step_and_activity_counts_as_progress(config, stage):
    claim(config)
    Journal(stage).append(1, {}, {metrics.TOTAL_STEPS: 24.0})
    later = datetime.now(UTC) + timedelta(minutes=5)
    watch = StageWatch(config)
    do(stage, "evaluating", later)
    assert seen(watch).progress_time == later
    # The time of an ended activity still counts.
    (stage / "activity.json").unlink()
    assert (seen(watch).activity, seen(watch).progress_time) == (None, later)
    do(stage, "merging", later - timedelta(minutes=4))
    assert seen(watch).progress_time == later


def test_the_commit_of_the_base_model_is_reported_when_it_is_known(config, stage):
    claim(config)
    assert seen(StageWatch(config)).model_revision is None
    write_base(config, BaseRecord(uri=config.spec.model.uri, revision="c0ffee"))
    assert seen(StageWatch(config)).model_revision == "c0ffee"
    write_base(config, BaseRecord(uri="hf://the/model-before-an-edit", revision="c0ffee"))
    assert seen(StageWatch(config)).model_revision is None


def test_warnings_are_reported_only_of_the_stage_s_own_work(config, stage):
    claim(config.model_copy(update={"input_hash": "another"}))
    warn(stage, [Problem("spec.holdout", "is too small")])
    watch = StageWatch(config)
    assert seen(watch).warnings is None
    claim(config)
    assert seen(watch).warnings == []
    warn(stage, [Problem("spec.maxLength", "is too low")])
    assert seen(watch).warnings == ["spec.maxLength: is too low"]


def test_an_unreadable_folder_is_reported_once_and_the_last_heartbeat_stays(config, stage, capfd):
    claim(config)
    Journal(stage).append(1, {}, {metrics.TOTAL_STEPS: 24.0})
    watch = StageWatch(config)
    assert seen(watch).step == 1
    (stage / "input.json").write_text("{")
    assert (seen(watch).step, seen(watch).step) == (1, 1)
    assert capfd.readouterr().err.count("cannot be read, so its progress is unknown") == 1
    claim_again = json.dumps({"inputHash": config.input_hash})
    (stage / "input.json").write_text(claim_again)
    Journal(stage).append(2, {metrics.LOSS: 1.0}, {})
    assert seen(watch).step == 2
