import errno
import math
import re
import shutil
import time
from pathlib import Path

import mlflow
import pytest
from alignment_api import metrics
from alignment_api.exit_codes import ExitCode
from alignment_api.journal import read_points
from alignment_api.names import DONE_FILE, LOG_FILE, METRICS_FILE, OLDER_LOG_FILE, SHIPPED_FILE
from alignment_api.runs import read_run_ids
from alignment_api.spec.stages import Stage, StageModel
from alignment_trainer.tracking import shipping
from alignment_trainer.tracking import uploader as uploading
from alignment_trainer.tracking.shipping import Shipment, is_shipped
from alignment_trainer.tracking.tracked_runs import TrackedRuns
from alignment_trainer.tracking.uploader import Uploader
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.stage_folder import claim
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def root(tmp_path_factory, empty_database):
    """A folder with one database for all tests of this module."""
    root = tmp_path_factory.mktemp("tracking")
    shutil.copy(empty_database, root)
    return root


@pytest.fixture
def config(root, trainer, request):
    config = trainer.config(root)
    own = {"job": config.job.model_copy(update={"uid": request.node.name})}
    own["paths"] = config.paths.model_copy(update={"stage": str(root / request.node.name)})
    (root / request.node.name).mkdir()
    return config.model_copy(update=own)


def write(config, steps):
    stage = Path(config.paths.stage)
    stage.mkdir(exist_ok=True)
    journal = Journal(stage)
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


def test_a_report_arrives_with_its_rows_and_again_if_it_changes(config):
    exam = {"name": "sft", "evaluate": {"tasks": [{"name": "arc", "benchmark": "arc_easy"}]}}
    config = config.model_copy(update={"spec": config.spec.model_copy(update={"stages": [Stage.model_validate(exam)]})})
    stage = Path(config.paths.stage)
    claim(config)
    write(config, range(1, 4))
    for text in ("first", "second"):
        (stage / "rows/arc").mkdir(parents=True, exist_ok=True)
        (stage / "rows/arc/base.jsonl").write_text(f"{text} rows")
        (stage / "report.json").write_text(f"{text} report")
        assert not is_shipped(stage)
        ship(config, ExitCode.DONE)
        assert is_shipped(stage)
        _, found, _ = runs(config)
        for name, content in (("report.json", f"{text} report"), ("rows/arc/base.jsonl", f"{text} rows")):
            path = mlflow.artifacts.download_artifacts(
                run_id=found["sft"].info.run_id, artifact_path=f"evaluation/{name}", tracking_uri=config.tracking.uri
            )
            assert Path(path).read_text() == content


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


def test_a_database_that_cannot_be_opened_is_reported_in_one_sentence(config, root, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(uploading, "FLUSH_SECONDS", 3)
    monkeypatch.setenv(uploading.SYNC_VARIABLE, "alignment sync --home there")
    # MLflow tries for minutes after the test, under the lock of this job.
    stage = tmp_path / "job" / "sft"
    stage.mkdir(parents=True)
    changes = {"tracking": {"uri": f"sqlite:///{root}"}, "paths": {"stage": str(stage)}}
    away = config.model_copy(update={name: getattr(config, name).model_copy(update=own) for name, own in changes.items()})
    write(away, range(1, 4))
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


def headlines(config, name=None):
    """Return the headlines of the job's newest run, or the steps at which one of them arrived."""
    client, found, _ = runs(config)
    if name is None:
        return found[None].data.metrics
    return [point.step for point in client.get_metric_history(found[None].info.run_id, name)]


def evaluate(config, values):
    journal = Journal(Path(config.paths.stage))
    for step, value in values.items():
        journal.append(step, {metrics.EVALUATION_LOSS: value}, {metrics.TOTAL_STEPS: 10.0})


def test_the_run_of_the_job_has_the_latest_and_the_best_values(config):
    evaluate(config, {0: 0.9, 4: 0.5, 8: 0.6, 10: math.nan})
    write(config, range(1, 4))
    ship(config, ExitCode.DONE)
    found = headlines(config)
    assert math.isnan(found.pop("sft/eval/loss"))
    assert found == {"sft/train/loss": pytest.approx(1 / 3), "sft/best/eval/loss": 0.5}
    ids = read_run_ids(Path(config.paths.stage) / SHIPPED_FILE)
    _, known, _ = runs(config)
    assert (ids.run_id, ids.job_run_id) == (known["sft"].info.run_id, known[None].info.run_id)


def test_the_next_attempt_continues_the_headlines(config):
    evaluate(config, {4: 0.5, 8: 0.6})
    ship(config, ExitCode.STOPPED)
    evaluate(config, {4: 0.1, 8: 0.1, 10: 0.7})
    ship(config, ExitCode.DONE)
    # Steps that are trained again keep their first values.
    assert headlines(config) == {"sft/eval/loss": 0.7, "sft/best/eval/loss": 0.5}
    assert headlines(config, "sft/best/eval/loss") == [4]


@pytest.mark.parametrize("moment", range(10))
def test_a_kill_between_any_two_writes_loses_and_repeats_nothing(config, monkeypatch, moment):
    write(config, range(1, 4))
    evaluate(config, {4: 0.5})
    moments = iter(range(100))

    class Killed(BaseException):
        pass

    def die():
        if next(moments) == moment:
            raise Killed

    def killing(write):
        def killed(*arguments):
            die()
            write(*arguments)
            die()

        return killed

    with monkeypatch.context() as patch:
        patch.setattr(shipping, "write_whole", killing(shipping.write_whole))
        patch.setattr(TrackedRuns, "_log", killing(TrackedRuns._log))
        with pytest.raises(Killed):
            Shipment(config, is_live=True).ship_points()
    ship(config, ExitCode.DONE)
    assert is_shipped(Path(config.paths.stage))
    assert steps_arrived(config) == [1, 2, 3]
    assert headlines(config) == {"sft/train/loss": pytest.approx(1 / 3), "sft/eval/loss": 0.5, "sft/best/eval/loss": 0.5}
    assert sorted(headlines(config, name) for name in headlines(config)) == [[3], [4], [4]]


def test_shipping_many_points_sends_the_headlines_once(config, monkeypatch):
    write(config, range(1, 2001))
    sent = []
    monkeypatch.setattr(TrackedRuns, "_log", lambda _, run_id, values: sent.append((run_id, len(values))))
    shipment = Shipment(config, is_live=True)
    for _ in range(3):
        shipment.ship_points()
    assert [count for run_id, count in sent if run_id == shipment.job_run_id] == [1]


def test_new_settings_of_a_later_stage_show_the_earlier_one_again(config, trainer, root):
    def at(stage, **changes):
        own = trainer.config(root, stage, **changes).model_copy(update={"job": config.job})
        folder = Path(config.paths.stage) / stage
        return own.model_copy(update={"paths": own.paths.model_copy(update={"stage": str(folder)})})

    sft, dpo, edited = at("sft"), at("dpo"), at("dpo", dpo__beta=0.3)
    claim(sft)
    write(sft, range(1, 4))
    (Path(sft.paths.stage) / DONE_FILE).write_text(sft.input_hash)
    ship(sft, ExitCode.DONE)
    for own, steps in ((dpo, range(1, 6)), (edited, range(1, 3))):
        claim(own)
        write(own, steps)
        ship(own, ExitCode.DONE)
    client, _, count = runs(config)
    assert count == 5
    found = client.search_runs(
        [client.get_experiment_by_name("tests").experiment_id], f"tags.`{metrics.JOB_UID_TAG}` = '{config.job.uid}'"
    )
    of_job = {run.data.params["dpo.beta"]: run for run in found if metrics.STAGE_TAG not in run.data.tags}
    assert of_job["0.3"].data.metrics == {"sft/train/loss": pytest.approx(1 / 3), "dpo/train/loss": 0.5}
    assert of_job["0.1"].data.metrics == {"sft/train/loss": pytest.approx(1 / 3), "dpo/train/loss": pytest.approx(0.2)}
    parents = {
        run.data.tags[metrics.STAGE_TAG]: run.data.tags[metrics.PARENT_TAG] for run in found if metrics.STAGE_TAG in run.data.tags
    }
    assert parents["sft"] == of_job["0.3"].info.run_id
    # The set-aside folder stays with its own run, and the finished stage with the newest one.
    aside = Path(dpo.paths.stage).with_name(f"dpo.{dpo.input_hash}")
    for folder in (aside, Path(sft.paths.stage)):
        (folder / SHIPPED_FILE).write_text(
            (folder / SHIPPED_FILE).read_text().replace('"headlines_offset":', '"headlines_offset":1')
        )
        shipping.ship_all(folder)
        assert is_shipped(folder)
    assert runs(config)[2] == 5
    assert read_run_ids(aside / SHIPPED_FILE).job_run_id == of_job["0.1"].info.run_id
    assert read_run_ids(Path(sft.paths.stage) / SHIPPED_FILE).job_run_id == of_job["0.3"].info.run_id
    assert [run.data.metrics for run in (client.get_run(of_job[beta].info.run_id) for beta in ("0.1", "0.3"))] == [
        of_job[beta].data.metrics for beta in ("0.1", "0.3")
    ]


def test_a_stage_beside_it_is_shipped_by_its_own_process_and_only_the_rest_of_one_that_is_done(config, trainer, root):
    def at(stage):
        own = trainer.config(root, stage).model_copy(update={"job": config.job})
        own.spec.stages[1].model = StageModel(base=True)
        paths = own.paths.model_copy(update={"stage": str(Path(config.paths.stage) / stage), "parent_model": None})
        return own.model_copy(update={"paths": paths})

    first, beside = at("sft"), at("dpo")
    for each in (first, beside):
        claim(each)
        write(each, range(1, 4))
    ship(first, ExitCode.STOPPED)
    folder = Path(beside.paths.stage)
    assert not (folder / SHIPPED_FILE).exists()
    (folder / DONE_FILE).write_text(beside.input_hash)
    ship(first, ExitCode.STOPPED)
    assert is_shipped(folder)


def logs_arrived(config, tmp_path):
    client, found, _ = runs(config)
    if not client.list_artifacts(found["sft"].info.run_id, "logs"):
        return {}
    folder = client.download_artifacts(found["sft"].info.run_id, "logs", str(tmp_path))
    return {path.name: path.read_text() for path in Path(folder).iterdir()}


def test_the_log_is_sent_when_an_attempt_ends(config, tmp_path, monkeypatch):
    monkeypatch.setattr(uploading, "_POLL_SECONDS", 0.05)
    stage = Path(config.paths.stage)
    write(config, range(1, 4))
    (stage / LOG_FILE).write_text("first attempt\n")
    uploader = Uploader(config)
    uploader.start()
    while not (stage / SHIPPED_FILE).exists() or '"headlines_offset":0' in (stage / SHIPPED_FILE).read_text():
        time.sleep(0.05)
    assert logs_arrived(config, tmp_path) == {}
    uploader.finish(ExitCode.DEFECT)
    assert logs_arrived(config, tmp_path) == {LOG_FILE: "first attempt\n"}
    (stage / LOG_FILE).rename(stage / OLDER_LOG_FILE)
    (stage / LOG_FILE).write_text("second attempt\n")
    assert not is_shipped(stage)
    ship(config, ExitCode.DONE)
    assert logs_arrived(config, tmp_path) == {OLDER_LOG_FILE: "first attempt\n", LOG_FILE: "second attempt\n"}
    assert is_shipped(stage)


def test_a_log_that_did_not_arrive_is_sent_with_the_next_stage_or_a_sync(config, tmp_path):
    stage = Path(config.paths.stage)
    claim(config)
    write(config, range(1, 4))
    ship(config, ExitCode.DONE)
    # Of an attempt whose supervisor was killed.
    (stage / LOG_FILE).write_text("killed attempt\n")
    assert shipping.left_behind(stage.parent) == [stage]
    shipping.ship_all(stage)
    assert logs_arrived(config, tmp_path) == {LOG_FILE: "killed attempt\n"}
    assert is_shipped(stage)


@pytest.mark.parametrize("left", [[LOG_FILE], [LOG_FILE, METRICS_FILE]])
def test_an_attempt_that_ended_before_its_first_point_gets_no_run_after_an_edit(config, trainer, root, left):
    edited = trainer.config(root, sft__optimization__maxSteps=2).model_copy(update={"job": config.job})
    folder = Path(config.paths.stage) / "sft"
    first, second = (
        each.model_copy(update={"paths": each.paths.model_copy(update={"stage": str(folder)})}) for each in (config, edited)
    )
    claim(first)
    for name in left:
        (folder / name).write_text("the GPU is lost\n" if name == LOG_FILE else "")
    claim(second)
    write(second, range(1, 4))
    ship(second, ExitCode.STOPPED)
    _, found, count = runs(config)
    assert (count, found["sft"].data.tags[metrics.INPUT_HASH_TAG]) == (2, second.input_hash)
    assert len([path for path in folder.parent.iterdir() if path.is_dir()]) == 2
    assert shipping.left_behind(folder.parent) == []
