"""Real attempts: a supervisor, torchrun and two processes, on CPUs."""

import gzip
import http.client
import json
import math
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.heartbeat import HEARTBEAT_PATH, Heartbeat, heartbeat_token
from alignment_api.names import ACTIVITY_FILE, LOG_FILE, METRICS_FILE, SAMPLES_FILE
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.workspace.checkpoints import newest_verified
from alignment_trainer.workspace.journal import latest_values
from measured_metrics import DPO_METRICS
from mlflow import MlflowClient


@pytest.fixture
def started_again(own_workspace):
    """A workspace like the finished one, with no stage run yet; the same seeds must give the same weights."""
    return own_workspace


def connections(attempt, state="01"):
    """List the states of connections on the port where an attempt's nodes meet: 01 is open, 0A is listening."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    ends = [(local, remote) for _, local, remote, found, *_ in lines if found == state]
    return [end for pair in ends for end in pair if end.endswith(f":{int(attempt.port):04X}")]


def listens(attempt):
    return bool(connections(attempt, "0A"))


def manifest(stage):
    return json.loads((stage / "manifest.json").read_text())


def test_sft_lowers_the_loss(finished, trainer):
    loss = trainer.values(finished / "job" / "sft", metrics.LOSS)
    held_out = trainer.values(finished / "job" / "sft", metrics.EVALUATION_LOSS)
    assert sorted(loss) == list(range(1, trainer.steps + 1))
    assert loss[trainer.steps] < 0.5 * loss[1]
    assert sorted(held_out) == [0, 8, 16, 24]
    assert held_out[24] < 0.5 * held_out[0]


def test_dpo_starts_at_the_reference_and_learns_the_preference(finished, trainer):
    stage = finished / "job" / "dpo"
    loss, accuracy = trainer.values(stage, metrics.LOSS), trainer.values(stage, metrics.EVALUATION_REWARD_ACCURACY)
    # Policy and reference are the same weights in the same numbers: nothing but rounding may lie between them.
    assert loss[1] == pytest.approx(math.log(2), abs=1e-6)
    assert trainer.values(stage, metrics.EVALUATION_LOSS)[0] == pytest.approx(math.log(2), abs=1e-6)
    assert trainer.values(stage, metrics.REWARD_MARGIN)[1] == pytest.approx(0, abs=1e-6)
    assert max(accuracy) == 8
    assert accuracy[8] > 0.9


def test_dpo_starts_from_the_model_of_sft(finished):
    sft, dpo = (manifest(finished / "job" / stage)["weights"] for stage in ("sft", "dpo"))
    base = weights_digest(finished / "inputs" / "tiny" / "model")
    assert sft["start"] == base
    assert dpo["start"] == sft["made"]
    assert len({base, sft["made"], dpo["made"]}) == 3
    assert dpo["made"] == weights_digest(finished / "job" / "dpo" / "model")


def test_the_manifest_records_the_run(finished, trainer):
    found = manifest(finished / "job" / "sft")
    assert (found["steps"], found["warnings"]) == (trainer.steps, [])
    rows = found["rows"]["sft"]
    assert (rows["available"], rows["used"], rows["held_out"]) == (2400, 480, 16)
    assert rows["duplicates"] > 0
    assert rows["train"] + rows["held_out"] + rows["duplicates"] == rows["used"]
    assert found["templateHash"] == manifest(finished / "job" / "dpo")["templateHash"]
    assert found["metrics"][metrics.EVALUATION_LOSS] > 0
    assert {"torch", "transformers", "trl"} <= set(found["versions"])


def test_all_points_arrive_in_mlflow(finished, trainer):
    client = MlflowClient(f"sqlite:///{finished / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tests")
    found = {run.data.tags.get(metrics.STAGE_TAG): run for run in client.search_runs([experiment.experiment_id])}
    assert experiment.artifact_location == str(finished / "artifacts")
    assert {stage: run.info.status for stage, run in found.items()} == dict.fromkeys((None, "sft", "dpo"), "FINISHED")
    for stage in ("sft", "dpo"):
        journal = trainer.values(finished / "job" / stage, metrics.LOSS)
        shipped = client.get_metric_history(found[stage].info.run_id, metrics.LOSS)
        assert {point.step: point.value for point in shipped} == journal
        assert len(shipped) == len(journal)


def test_the_log_of_a_stage_is_on_the_volume_and_in_mlflow(finished, tmp_path):
    client = MlflowClient(f"sqlite:///{finished / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tests'")
    runs = {run.data.tags.get(metrics.STAGE_TAG): run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    for stage in ("sft", "dpo"):
        log = (finished / "job" / stage / LOG_FILE).read_text()
        title, *lines = log.splitlines()
        assert title.startswith(f"=== attempt 1 of tiny/{stage}, 20")
        # What the supervisor says of the stage, perhaps after a phase that takes long, and how the attempt ended.
        assert any(line.startswith("spec.stages[") for line in lines)
        assert lines[-1] == "Completed: the stage is done"
        printed = (finished / f"{stage}-1.log").read_text().splitlines()
        assert set(lines) <= set(printed)
        assert Path(client.download_artifacts(runs[stage], f"logs/{LOG_FILE}", str(tmp_path))).read_text() == log


def test_the_run_of_the_job_shows_both_stages(finished):
    client = MlflowClient(f"sqlite:///{finished / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tests'")
    (run,) = (run for run in client.search_runs([experiment.experiment_id]) if metrics.STAGE_TAG not in run.data.tags)
    assert (run.data.params["dpo.beta"], run.data.params["sft.learningRate"]) == ("0.1", "0.003")
    for stage, names in (
        ("sft", [metrics.LOSS, metrics.EVALUATION_LOSS]),
        ("dpo", [name for name in metrics.BEST_OF if name in DPO_METRICS]),
    ):
        expected = latest_values(finished / "job" / stage / METRICS_FILE)
        assert {name: run.data.metrics[metrics.of_stage(stage, name)] for name in names} == {
            name: pytest.approx(expected[name]) for name in names
        }
    assert run.data.metrics["dpo/best/eval/rewards/accuracies"] > 0.9


def test_a_stage_that_is_done_is_not_run_again(finished, tmp_path, trainer):
    before = (finished / "job" / "sft" / "metrics.jsonl").stat()
    result = trainer.attempt(trainer.config(finished, attempt=2), tmp_path).wait()
    assert (result.code, result.termination.reason) == (0, "Completed")
    assert (finished / "job" / "sft" / "metrics.jsonl").stat() == before
    # With its last figures: the operator may have asked for the heartbeat some steps before the end.
    last = {
        name: value for name, value in latest_values(finished / "job" / "sft" / METRICS_FILE).items() if name in metrics.HEADLINES
    }
    assert (result.termination.total_steps, result.termination.metrics) == (trainer.steps, last)
    assert metrics.LOSS in last


def test_an_attempt_that_died_while_publishing_is_finished_without_training(finished, tmp_path, trainer):
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, tmp_path / folder)
    stage = tmp_path / "job" / "sft"
    (stage / "DONE").unlink()
    shutil.rmtree(stage / "model")
    # As if the last evaluation had been a bad one, which the manifest then says.
    journal = (stage / "metrics.jsonl").read_text() + json.dumps({"time": 1, "step": 24, "metrics": {"eval/loss": 99.0}}) + "\n"
    (stage / "metrics.jsonl").write_text(journal)
    result = trainer.train(trainer.config(tmp_path, attempt=2), tmp_path)
    assert result.code == 0, result.output
    assert manifest(stage)["weights"]["made"] == manifest(finished / "job" / "sft")["weights"]["made"]
    assert (stage / "metrics.jsonl").read_text() == journal
    (warning,) = manifest(stage)["warnings"]
    assert warning.startswith("spec.stages[0].sft.optimization: the held-out loss ended at 99, above its start of ")
    assert result.output.count(f"warning: {warning}") == 1


def test_after_a_stop_the_next_attempt_resumes_and_ends_with_the_same_weights(finished, started_again, trainer):
    first = trainer.attempt(trainer.config(started_again), started_again)
    first.wait_until(first.has_checkpoint)
    first.stop()
    result = first.wait()
    stopped_at = newest_verified(first.stage).step
    assert (result.code, result.termination.reason) == (75, "Stopped"), result.output
    assert result.termination.last_checkpoint == stopped_at < trainer.steps
    assert max(trainer.values(first.stage, metrics.LOSS)) == stopped_at

    # An upgraded operator has other defaults; the stage keeps those that it began with.
    upgraded = trainer.config(started_again, attempt=2, sft__checkpoint={"everySteps": 8, "keep": 7}, sft__packing=False)
    result = trainer.attempt(upgraded.model_copy(update={"input_hash": first.config.input_hash}), started_again).wait()
    assert result.code == 0, result.output
    assert "the stage continues with the settings that it started with" in result.output
    assert f"step {stopped_at}/" not in result.output
    assert f"step {stopped_at + 1}/" in result.output
    assert trainer.values(first.stage, metrics.LOSS) == trainer.values(finished / "job" / "sft", metrics.LOSS)
    assert manifest(first.stage)["weights"]["made"] == manifest(finished / "job" / "sft")["weights"]["made"]
    assert (first.stage / SAMPLES_FILE).read_text() == (finished / "job" / "sft" / SAMPLES_FILE).read_text()


def test_after_a_kill_the_next_attempt_resumes_without_repeating_points(started_again, trainer):
    first = trainer.attempt(trainer.config(started_again), started_again)
    first.wait_until(first.has_checkpoint)
    os.kill(first.processes()["rank"][-1], signal.SIGKILL)
    result = first.wait()
    assert (result.code, result.termination.reason) == (70, "ProcessKilled"), result.output
    assert result.termination.last_checkpoint is not None
    assert "exitcode" not in result.output and "Traceback" not in result.output

    # The newest checkpoint is torn: the one before is used, and said so.
    newest = newest_verified(first.stage)
    shutil.copytree(newest.folder, newest.folder.with_name("step-23"))
    os.truncate(newest.folder.with_name("step-23") / "model.safetensors", 1000)
    result = trainer.train(trainer.config(started_again, attempt=2), started_again)
    assert result.code == 0, result.output
    assert "step-23 is skipped: model.safetensors has 1000 bytes" in result.output
    steps = list(range(1, trainer.steps + 1))
    points = trainer.points(first.stage)
    found = {name: sorted(trainer.values(first.stage, name)) for point in points for name in point["metrics"]}
    assert (found[metrics.LOSS], found[metrics.TOTAL_STEPS], found[metrics.SECONDS_LEFT]) == (steps, [0, *steps], steps)
    # The steps since the checkpoint were trained again, and the operator saw each of them.
    assert [point["step"] for point in points] == sorted(point["step"] for point in points)


def test_if_any_file_of_a_checkpoint_is_damaged_the_previous_one_is_used(finished, tmp_path, capsys):
    shutil.copytree(finished / "job" / "sft" / "checkpoints", tmp_path / "checkpoints")
    newest = newest_verified(tmp_path)
    before = min(int(folder.name.removeprefix("step-")) for folder in newest.folder.parent.glob("step-*"))
    files = [path for path in newest.folder.rglob("*") if path.is_file()]
    assert before < newest.step and len(files) > 5
    for path in files:
        whole = path.read_bytes()
        for damaged in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            assert newest_verified(tmp_path).step == before, path
            assert f"step-{newest.step} is skipped: " in capsys.readouterr().err
            path.write_bytes(whole)
    assert newest_verified(tmp_path).step == newest.step


def test_no_rank_survives_a_killed_supervisor(started_again, trainer):
    attempt = trainer.attempt(trainer.config(started_again), started_again)
    attempt.wait_until(lambda: len(attempt.processes()["rank"]) == 2)
    attempt.process.kill()
    attempt.process.wait()
    for _ in range(200):
        if not any(attempt.processes().values()):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {attempt.processes()}")


@pytest.mark.parametrize(
    ("environment", "begins", "message"),
    [
        ({}, lambda attempt: attempt.has_loaded("pydantic_core"), "stopped on request, before training began"),
        ({}, lambda attempt: attempt.processes()["torchrun"], "stopped on request, with nothing new to save"),
        ({"PET_NNODES": "2", "PET_NPROC_PER_NODE": "1"}, listens, "stopped on request, with nothing new to save"),
        ({}, lambda attempt: attempt.processes()["rank"], "stopped on request, with nothing new to save"),
    ],
    ids=["it has only begun", "the launcher starts", "it waits for another node", "its processes load torch"],
)
def test_pid_1_stops_at_once_in_every_phase(started_again, trainer, environment, begins, message):
    attempt = trainer.attempt(trainer.config(started_again), started_again, is_first=True, **environment)
    attempt.wait_until(lambda: begins(attempt))
    attempt.stop()
    result = attempt.wait()
    assert (result.code, result.termination.reason, result.termination.message) == (75, "Stopped", message), result.output
    assert result.termination.last_checkpoint is None


def test_the_first_node_waits_for_a_late_one(started_again, trainer):
    # As long as torch would wait by itself, if it were let.
    nodes = {"PET_NNODES": "2", "PET_NPROC_PER_NODE": "1", "PET_RDZV_CONF": "timeout=2"}
    config = trainer.config(started_again, compute__nodes=2, compute__processesPerNode=1)
    (started_again / "other").mkdir()
    first = trainer.attempt(config, started_again, **nodes)
    first.wait_until(lambda: listens(first))
    time.sleep(4)
    late = trainer.attempt(config, started_again / "other", **nodes, PET_NODE_RANK="1", PET_MASTER_PORT=first.port)
    late.wait_until(lambda: first.processes()["rank"] and late.processes()["rank"])
    for node in (first, late):
        node.stop()
    assert [node.wait().termination.reason for node in (first, late)] == ["Stopped", "Stopped"]


def test_a_node_lost_during_rendezvous_is_not_the_jobs_fault(started_again, trainer):
    nodes = {"PET_NNODES": "3", "PET_NPROC_PER_NODE": "1"}
    (started_again / "other").mkdir()
    first = trainer.attempt(trainer.config(started_again), started_again, **nodes)
    first.wait_until(lambda: listens(first))
    other = trainer.attempt(
        trainer.config(started_again), started_again / "other", **nodes, PET_NODE_RANK="1", PET_MASTER_PORT=first.port
    )
    other.wait_until(lambda: len(connections(first)) == 2 * 2)
    first.process.kill()
    result = other.wait()
    assert (result.code, result.termination.reason) == (75, "PeerLost"), result.output
    assert "the other nodes of the stage could not be reached" in result.termination.message


def many(path, times):
    """Write so many rows that the stage still prepares them when a stop arrives."""
    path.write_text(path.read_text() * times)


def heard(attempt):
    """Read an attempt's heartbeat as the operator does; None until it answers."""
    job, port = attempt.config.job, int(attempt.heartbeat_port)
    token = heartbeat_token(job.uid, attempt.config.stage_name, attempt.config.attempt)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", HEARTBEAT_PATH, headers={"Authorization": f"Bearer {token}"})
        return Heartbeat.model_validate_json(connection.getresponse().read())
    except ConnectionRefusedError:
        return None


@pytest.mark.parametrize(
    ("stage", "rows", "times", "doing"),
    [("sft", "sft.jsonl", 30, "preparing rows (train)"), ("dpo", "preferences.jsonl", 12, "asking the reference")],
    ids=["rows are tokenized", "the reference sees the pairs"],
)
def test_preparation_is_reported_and_a_stop_ends_it_at_once(finished, tmp_path, trainer, stage, rows, times, doing):
    for folder in ("inputs", "job/sft") if stage == "dpo" else ("inputs",):
        shutil.copytree(finished / folder, tmp_path / folder)
    many(tmp_path / "inputs" / "tiny" / rows, times)
    config = trainer.config(tmp_path, stage, **{f"{stage}__datasets": [{"uri": f"workspace://inputs/tiny/{rows}"}]})
    attempt = trainer.attempt(config, tmp_path, is_heard=True)
    attempt.wait_until(lambda: heard(attempt) is not None)
    first = heard(attempt)
    assert (first.step, first.last_checkpoint) == (None, None)

    def is_doing():
        activity = heard(attempt).activity
        return activity and activity.what == doing and activity.done

    attempt.wait_until(is_doing)
    last = heard(attempt)
    assert last.alive_time > first.alive_time
    assert last.progress_time and last.total_steps in (None, 8, trainer.steps)
    attempt.stop()
    began = time.monotonic()
    result = attempt.wait()
    assert (result.code, result.termination.reason) == (75, "Stopped"), result.output
    assert result.termination.message == "stopped on request, with nothing new to save"
    assert (result.termination.step or 0, result.termination.last_checkpoint) == (0, None), result.output
    assert time.monotonic() - began < attempt.config.grace_seconds / 2


def test_a_stop_while_rows_are_checked_ends_it_at_once(started_again, trainer):
    rows = (started_again / "inputs" / "tiny" / "sft.jsonl").read_bytes()
    # A file of several parts that are read as one; checking all of them takes minutes.
    (started_again / "rows.jsonl.gz").write_bytes(gzip.compress(rows * 50) * 1000)
    config = trainer.config(started_again, sft__datasets=[{"uri": "workspace://rows.jsonl.gz"}])
    attempt = trainer.attempt(config, started_again)
    attempt.wait_until((attempt.stage / ACTIVITY_FILE).exists)
    assert json.loads((attempt.stage / ACTIVITY_FILE).read_text())["what"] == "checking workspace://rows.jsonl.gz"
    attempt.stop()
    result = attempt.wait()
    assert (result.code, result.termination.reason) == (75, "Stopped"), result.output
    assert result.termination.message == "stopped on request, before training began"


def test_a_damaged_model_ends_the_attempt_before_a_process_starts(started_again, trainer):
    os.truncate(started_again / "inputs" / "tiny" / "model" / "model.safetensors", 5000)
    result = trainer.attempt(trainer.config(started_again), started_again).wait()
    assert (result.code, result.termination.reason) == (78, "BadConfiguration"), result.output
    assert result.termination.message in result.output
    assert "spec.model.uri: workspace://inputs/tiny/model has a model.safetensors with " in result.termination.message
    assert "torch" not in result.output and "Traceback" not in result.output


def test_a_nan_loss_fails_the_stage_without_retry(started_again, trainer):
    import torch
    from safetensors.torch import load_file, save_file

    weights = started_again / "inputs" / "tiny" / "model" / "model.safetensors"
    tensors = load_file(weights)
    # Each number is finite, but sums of their products are not.
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], 3e38)
    save_file(tensors, weights, metadata={"format": "pt"})
    result = trainer.train(trainer.config(started_again, sft__holdout=None), started_again)
    assert (result.code, result.termination.reason) == (70, "Diverged"), result.output
    assert "before any weight was changed: the model's numbers overflow the precision" in result.termination.message
    assert not (started_again / "job" / "sft" / "checkpoints" / "step-1").exists()


def test_the_folder_of_other_inputs_is_set_aside(finished, tmp_path, trainer):
    shutil.copytree(finished, tmp_path / "copy")
    root = tmp_path / "copy"
    old = trainer.config(root)
    new = trainer.config(root, sft__optimization__maxSteps=2)
    result = trainer.train(new, root)
    assert result.code == 0, result.output
    assert "holds the work of other inputs" in result.output
    assert manifest(root / "job" / f"sft.{old.input_hash}")["steps"] == trainer.steps
    assert manifest(root / "job" / "sft")["steps"] == 2
    # What the second stage builds on is checked by its content.
    (root / "job" / "sft" / "model" / "model.safetensors").write_bytes(
        (root / "inputs" / "tiny" / "model" / "model.safetensors").read_bytes()
    )
    result = trainer.train(trainer.config(root, "dpo", sft__optimization__maxSteps=2), root)
    assert (result.code, result.termination.reason) == (65, "BadData"), result.output
    assert "does not contain the weights" in result.termination.message


@pytest.mark.parametrize(
    ("situation", "environment", "write", "code", "said"),
    [
        ("worlds of one", {"PET_NPROC_PER_NODE": "1"}, None, 78, "the launcher started 1 of 2 processes"),
        ("no RunConfig", {"ALIGNMENT_RUN_CONFIG": "/nowhere/run.json"}, None, 78, "/nowhere/run.json: cannot be read"),
        ("unknown field", {}, {"colour": "red"}, 78, "colour: is not a field"),
        ("missing rows", {}, {"rows": None}, 65, "does not exist on the workspace volume"),
    ],
)
def test_exit_codes_without_training(workspace, tmp_path, trainer, situation, environment, write, code, said):
    config = trainer.config(workspace)
    config = config.model_copy(update={"paths": config.paths.model_copy(update={"stage": str(tmp_path / "sft")})})
    if write == {"rows": None}:
        config.spec.stages[0].sft.datasets[0].uri = "workspace://missing.jsonl"
    elif write:
        broken = tmp_path / "broken.json"
        broken.write_text(json.dumps({**json.loads(config.model_dump_json(by_alias=True, exclude_none=True)), **write}))
        environment = {"ALIGNMENT_RUN_CONFIG": str(broken)}
    result = trainer.attempt(config, tmp_path, **environment).wait()
    assert (result.code, result.termination.exit_code) == (code, code), result.output
    assert said in result.termination.message


NF4 = {"lora": {"rank": 4}, "quantization": "NF4"}


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("sft", {"sft__adapter": {"lora": {"rank": 4, "dropout": 0.1}}}),
        ("sft", {"sft__adapter": NF4, "sft__precision": "BFloat16"}),
        ("sft", {"compute__sharding": "ZeRO3", "sft__packing": False, "compute__gradientCheckpointing": True}),
        ("dpo", {"dpo__adapter": {"lora": {"rank": 4}}, "dpo__loss": "Robust", "dpo__labelSmoothing": 0.1}),
        ("dpo", {"dpo__adapter": NF4, "dpo__precision": "BFloat16", "compute__gradientCheckpointing": True}),
        ("dpo", {"compute__sharding": "ZeRO2", "dpo__precision": "BFloat16"}),
        ("dpo", {"dpo__adapter": {"lora": {"rank": 4}}, "compute__sharding": "ZeRO3", "compute__gradientCheckpointing": True}),
    ],
    ids=["sft-lora", "sft-nf4-bfloat16", "sft-zero3", "dpo-lora", "dpo-nf4-bfloat16", "dpo-zero2-bfloat16", "dpo-zero3-lora"],
)
def test_other_ways_to_train(finished, tmp_path, trainer, stage, changes):
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "job" / stage)
    changes |= {f"{stage}__optimization__maxSteps": 3, f"{stage}__checkpoint": {"everySteps": 2}}
    changes |= {f"{stage}__evaluation": {"everySteps": 3}}
    result = trainer.train(trainer.config(tmp_path, stage, **changes), tmp_path)
    assert result.code == 0, result.output
    assert "FutureWarning" not in result.output
    folder = tmp_path / "job" / stage
    assert (folder / "adapter").exists() == (f"{stage}__adapter" in changes)
    assert load(folder / "model").num_parameters() == load(finished / "job" / stage / "model").num_parameters()
    assert manifest(folder)["weights"]["made"] != manifest(folder)["weights"]["start"]
    if stage == "dpo":
        # The policy is the reference before the first step; 16 bit round log-probabilities by how pairs fall together.
        tolerance = 0.02 if changes.get("dpo__precision") == "BFloat16" else 1e-5
        assert trainer.values(folder, metrics.LOSS)[1] == pytest.approx(math.log(2), abs=tolerance)
    if stage == "sft":
        # What was published is what was trained: merged or gathered, it answers as the trained weights did.
        tolerance = 1e-2 if changes.get("sft__precision") == "BFloat16" else 1e-5
        assert held_out_loss(folder) == pytest.approx(trainer.values(folder, metrics.EVALUATION_LOSS)[3], rel=tolerance)


def held_out_loss(folder: Path) -> float:
    import torch
    from datasets import Dataset

    model, total, count = load(folder / "model").eval(), 0.0, 0
    for row in Dataset.from_file(str(folder / "data" / "held_out.arrow")):
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"][1:])
        with torch.no_grad():
            logits = model(ids, use_cache=False).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum"))
        count += int((labels != -100).sum())
    return total / count


def load(folder: Path):
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert not hasattr(model.config, "quantization_config")
    return model
