"""`alignment run` from the command line: a whole job, Ctrl-C, kills, and broken input."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from alignment_api import metrics
from alignment_api.document import read_document
from alignment_api.exit_codes import ExitCode
from alignment_api.home import Home
from alignment_api.spec.job import AlignmentJob
from example_teacher import ExampleTeacher
from forked_programs import forked_programs
from measured_metrics import DPO_METRICS, SFT_METRICS
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]
TINY = ROOT / "examples" / "tiny.yaml"
ZEPHYR = ROOT / "examples" / "zephyr-tiny.yaml"
ALIGNMENT = [sys.executable, "-m", "alignment_operator.cli"]


def home_with_inputs(folder: Path, workspace: Path) -> Home:
    home = Home(folder)
    shutil.copytree(workspace / "inputs", home.workspace / "inputs")
    return home


def run(home: Home, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ALIGNMENT, "run", "--home", home.root, file], capture_output=True, text=True)


def start(home: Home, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*ALIGNMENT, "run", "--home", home.root, file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def job_of(home: Home) -> AlignmentJob:
    (path,) = home.job_files()
    return AlignmentJob.model_validate_json(path.read_text())


def stage_folder(home: Home, stage: str) -> Path:
    (folder,) = home.workspace.glob(f"default/*/{stage}")
    return folder


def points(home: Home, stage: str) -> list[dict[str, Any]]:
    found = list(home.workspace.glob(f"default/*/{stage}/metrics.jsonl"))
    whole = [line for path in found for line in path.read_text().split("\n")[:-1]]
    return [json.loads(line) for line in whole]


def series(home: Home, stage: str, name: str) -> list[tuple[int, float]]:
    return [(point["step"], point["metrics"][name]) for point in points(home, stage) if name in point["metrics"]]


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds; the long limit only ends a test that has failed."""
    limit = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < limit, "the condition never held"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def finished(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, subprocess.CompletedProcess[str]]:
    """Run the example once to its end; what it starts is forked from a process that has loaded all libraries."""
    home = home_with_inputs(tmp_path_factory.mktemp("home"), workspace)
    with forked_programs():
        return home, run(home, TINY)


@pytest.fixture
def new_home(workspace: Path, tmp_path: Path, empty_database: Path) -> Home:
    """A home in which nothing has run yet, with the tables of MLflow's database, which take seconds to create."""
    home = home_with_inputs(tmp_path / "home", workspace)
    shutil.copy(empty_database, home.root)
    return home


@pytest.fixture
def home(new_home: Home) -> Iterator[Home]:
    """The same; what a test runs in it is forked, too."""
    with forked_programs():
        yield new_home


def short_job(folder: Path, name: str = "short", steps: int = 40, **changes: Any) -> Path:
    """Write the example with a few small steps of SFT only, saved often, in one process."""
    document = read_document(TINY)
    document["metadata"]["name"] = name
    document["spec"]["compute"]["nodes"] = 1
    stage = document["spec"]["stages"][0]
    del stage["sft"]["optimization"]["epochs"]
    stage["sft"]["optimization"] |= {"maxSteps": steps, "globalBatchSize": 4}
    stage["sft"].update({"checkpoint": {"everySteps": 5}, "evaluation": {"everySteps": 20}, **changes})
    document["spec"]["stages"] = [stage]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_example_runs_to_its_end_and_prints_what_changed(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, ended = finished
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "tiny: Succeeded" in ended.stdout
    assert "reward accuracy" in ended.stdout
    status = job_of(home).status
    assert status is not None
    assert (status.phase, status.progress) == ("Succeeded", "100%")
    assert [stage.attempts for stage in status.stages or []] == [1, 1]
    assert (status.all_warnings, "warning:" in ended.stderr) == ([], False)


def test_sft_lowers_the_loss(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    held_out = series(finished[0], "sft", metrics.EVALUATION_LOSS)
    assert held_out[0][0] == 0
    assert held_out[-1][1] < 0.5 * held_out[0][1]


def test_dpo_begins_at_ln_2_and_learns_the_preference(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, _ = finished
    first_step, first_loss = series(home, "dpo", metrics.LOSS)[0]
    assert first_step == 1
    assert first_loss == pytest.approx(math.log(2), abs=1e-6)
    margins = series(home, "dpo", metrics.EVALUATION_REWARD_MARGIN)
    assert margins[0] == (0, pytest.approx(0, abs=1e-6))
    assert margins[-1][1] > 0.5
    assert margins[-1][1] > margins[1][1] > margins[0][1]
    assert series(home, "dpo", metrics.EVALUATION_REWARD_ACCURACY)[-1][1] > 0.9


def test_dpo_starts_from_the_weights_that_sft_made(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, _ = finished
    sft, dpo = (json.loads((stage_folder(home, stage) / "manifest.json").read_text()) for stage in ("sft", "dpo"))
    assert dpo["weights"]["start"] == sft["weights"]["made"]
    assert sft["weights"]["made"] != sft["weights"]["start"]
    assert dpo["weights"]["made"] != dpo["weights"]["start"]


@pytest.mark.parametrize(("stage", "names"), [("sft", SFT_METRICS), ("dpo", DPO_METRICS)])
def test_a_run_logs_all_metrics_that_other_programs_read(
    finished: tuple[Home, subprocess.CompletedProcess[str]], stage: str, names: tuple[str, ...]
) -> None:
    measured = {name for point in points(finished[0], stage) for name in point["metrics"]}
    assert {*names, metrics.TOTAL_STEPS, metrics.SECONDS_LEFT} <= measured


def test_both_stages_are_child_runs_of_one_run(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, _ = finished
    client = MlflowClient(home.tracking_uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{metrics.JOB_UID_TAG}` = '{job_of(home).metadata.uid}'")
    (parent,) = [found for found in runs if metrics.PARENT_TAG not in found.data.tags]
    children = [found for found in runs if found.data.tags.get(metrics.PARENT_TAG) == parent.info.run_id]
    assert sorted(found.data.tags[metrics.STAGE_TAG] for found in children) == ["dpo", "sft"]
    assert {found.info.status for found in runs} == {"FINISHED"}
    for found in children:
        stage = found.data.tags[metrics.STAGE_TAG]
        logged = [(point.step, point.value) for point in client.get_metric_history(found.info.run_id, metrics.LOSS)]
        assert logged == [pytest.approx(point) for point in series(home, stage, metrics.LOSS)]
    status = job_of(home).status
    assert status is not None and status.tracking is not None
    assert (status.tracking.run_id, status.tracking.experiment_id) == (parent.info.run_id, parent.info.experiment_id)
    assert {stage.name: stage.run_id for stage in status.stages or []} == {
        found.data.tags[metrics.STAGE_TAG]: found.info.run_id for found in children
    }


def test_a_finished_job_is_shown_and_not_run_again(finished: tuple[Home, subprocess.CompletedProcess[str]]) -> None:
    home, _ = finished
    before = job_of(home)
    again = run(home, TINY)
    assert again.returncode == 0
    assert "already finished" in again.stderr
    assert job_of(home) == before


def test_ctrl_c_saves_and_the_next_run_resumes_at_the_step(home: Home, tmp_path: Path) -> None:
    file = short_job(tmp_path, holdout={"fraction": 0.005})
    runner = start(home, file)
    wait_for(lambda: any(step >= 8 for step, _ in series(home, "sft", metrics.LOSS)))
    runner.send_signal(signal.SIGINT)
    assert runner.wait() == 130
    assert job_of(home).status.phase == "Suspended"  # type: ignore[union-attr]
    reached = max(step for step, _ in series(home, "sft", metrics.LOSS))
    assert (stage_folder(home, "sft") / "checkpoints" / f"step-{reached}").is_dir()
    (stage,) = job_of(home).status.stages or []  # type: ignore[union-attr]
    assert stage.progress is not None
    assert stage.progress.step == reached
    ended = run(home, file)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [step for step, _ in series(home, "sft", metrics.LOSS)] == list(range(1, 41))
    (stage,) = job_of(home).status.stages or []  # type: ignore[union-attr]
    assert (stage.attempts, stage.application_failures) == (2, 0)
    few = "spec.stages[0].sft.holdout: 12 rows are held out, so chance decides the held-out metrics; hold out at least 20"
    assert stage.warnings == [few]
    assert f"warning: {few}" in ended.stderr.splitlines()
    said = [json.loads(path.read_text()) for path in home.job_folder("default", "short").glob("*/termination.json")]
    assert sorted(ending.get("warnings", []) for ending in said) == [[], [few]]
    logs = [path.read_text() for path in home.job_folder("default", "short").glob("*/output.log")]
    assert (len(logs), "".join(logs).count(few)) == (2, 1)


def test_training_survives_the_kill_of_its_runner(home: Home, tmp_path: Path) -> None:
    file = short_job(tmp_path)
    runner = start(home, file)
    wait_for(lambda: bool(series(home, "sft", metrics.LOSS)))
    runner.kill()
    runner.wait()
    ended = run(home, file)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (stage,) = job_of(home).status.stages or []  # type: ignore[union-attr]
    assert stage.attempts == 1


def test_a_killed_trainer_resumes_from_its_last_checkpoint(home: Home, tmp_path: Path) -> None:
    file = short_job(tmp_path)
    runner = start(home, file)
    wait_for(lambda: bool(list(home.workspace.glob("default/*/sft/checkpoints/step-*"))))
    started = json.loads((home.job_folder("default", "short") / "short-sft-1" / "started.json").read_text())
    os.kill(started["pid"], signal.SIGKILL)
    assert runner.wait() == 0
    (stage,) = job_of(home).status.stages or []  # type: ignore[union-attr]
    assert (stage.state, stage.attempts) == ("Succeeded", 2)
    assert (stage.application_failures, stage.infrastructure_failures) == (0, 1)
    assert [step for step, _ in series(home, "sft", metrics.LOSS)] == list(range(1, 41))


BROKEN_DATA = [
    ("missing", None, "does not exist"),
    ("empty", "", "has no rows"),
    ("not-json", '{"messages": [\n', ":1: "),
]


@pytest.mark.parametrize(("name", "text", "words"), BROKEN_DATA, ids=[row[0] for row in BROKEN_DATA])
def test_broken_data_of_a_later_stage_ends_the_job_before_any_training(
    home: Home, tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    document = read_document(TINY)
    document["spec"]["stages"][1]["dpo"]["datasets"] = [{"uri": "workspace://broken.jsonl"}]
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(document))
    if text is not None:
        (home.workspace / "broken.jsonl").write_text(text)
    ended = run(home, file)
    assert ended.returncode == ExitCode.BAD_DATA
    (sentence,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert words in sentence
    assert "broken.jsonl" in sentence
    assert "Traceback" not in ended.stderr
    assert points(home, "sft") == []


def branching_job(home: Home, folder: Path) -> Path:
    """Write a job of two short stages, one with broken rows, and one that builds on that."""
    document = read_document(TINY)
    (sft, _), compute = document["spec"]["stages"], document["spec"]["compute"]
    del sft["sft"]["optimization"]["epochs"]
    sft["sft"]["optimization"] |= {"maxSteps": 12, "globalBatchSize": 4}
    stages = {name: {"name": name, "model": {"base": True}, "sft": sft["sft"]} for name in ("left", "right", "broken")}
    (home.workspace / "broken.jsonl").write_text("{}\n")
    stages["broken"]["sft"] = {**sft["sft"], "datasets": [{"uri": "workspace://broken.jsonl"}]}
    stages["last"] = {"name": "last", "model": {"stage": "broken"}, "sft": sft["sft"]}
    document["spec"] |= {"stages": list(stages.values()), "parallelStages": 2, "compute": {**compute, "nodes": 1}}
    path = folder / "branching.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_stages_run_side_by_side_and_one_that_fails_stops_only_what_builds_on_it(home: Home, tmp_path: Path) -> None:
    ended = run(home, branching_job(home, tmp_path))
    assert ended.returncode == ExitCode.BAD_DATA, ended.stdout + ended.stderr
    status = job_of(home).status
    assert status is not None
    left, right, broken, last = status.stages or []
    assert [stage.state for stage in (left, right, broken, last)] == ["Succeeded", "Succeeded", "Failed", "Waiting"]
    assert left.start_time and left.completion_time and right.start_time and right.start_time < left.completion_time
    assert (last.reason, last.message) == ("BuildsOnFailedStage", "it builds on broken, which failed")
    assert "error: broken: broken.jsonl:1: " in ended.stderr
    lines = ended.stdout.splitlines()
    assert [sum(line.startswith(f"{name}: running") for line in lines) > 0 for name in ("left", "right")] == [True, True]
    for each in (left, right):
        (doubt,) = each.warnings or []
        assert "broken.jsonl:1: " in doubt and f"(seen when stage {each.name!r} began; 'broken' fails if it stays so)" in doubt
        assert [step for step, _ in series(home, each.name, metrics.LOSS)] == list(range(1, 13))
    client = MlflowClient(home.tracking_uri)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert len(runs) == 3, "one of the job, and one of each stage that trained"
    assert "cannot be used" not in "".join(path.read_text() for path in home.objects.glob("*/*/*/output.log"))


def test_the_same_command_runs_the_job_after_its_data_is_corrected(new_home: Home, tmp_path: Path) -> None:
    source = new_home.workspace / "inputs/tiny/sft.jsonl"
    hidden = source.rename(source.with_suffix(".hidden"))
    file = short_job(tmp_path, steps=2)
    with forked_programs():
        assert run(new_home, file).returncode == ExitCode.BAD_DATA
    hidden.rename(source)
    # Command, supervisor, launcher and rank load their libraries themselves here, as users' do.
    ended = run(new_home, file)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def small_zephyr(folder: Path, teacher: ExampleTeacher) -> Path:
    """Write the example with a teacher, with few rows and few steps, in one process."""
    document = yaml.safe_load(ZEPHYR.read_text().replace("http://127.0.0.1:8199/v1", teacher.base_url))
    distill, sft, feedback, dpo, *_ = document["spec"]["stages"]
    document["spec"]["stages"] = [distill, sft, feedback, dpo]
    distill["distill"]["prompts"] = [{"uri": "workspace://inputs/tiny/sft.jsonl", "maxExamples": 40}]
    feedback["feedback"]["prompts"] = [{"uri": "workspace://inputs/tiny/sft.jsonl", "maxExamples": 12}]
    for settings in (sft["sft"], dpo["dpo"]):
        del settings["optimization"]["epochs"], settings["holdout"]
        settings["optimization"]["maxSteps"] = 3
    document["spec"]["compute"]["nodes"] = 1
    path = folder / "zephyr.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def rows_of(home: Home, stage: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (stage_folder(home, stage) / "rows/part-00000.jsonl").read_text().splitlines()]


def test_a_teacher_and_a_judge_write_what_a_model_then_learns(
    home: Home, tmp_path: Path, example_teacher: ExampleTeacher
) -> None:
    before = example_teacher.counts()
    ended = run(home, small_zephyr(tmp_path, example_teacher))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    arrived, answered = (
        {digest: n - old.get(digest, 0) for digest, n in new.items()}
        for old, new in zip(before, example_teacher.counts(), strict=True)
    )
    requests = [series(home, stage, metrics.REQUESTS)[-1][1] for stage in ("distill", "feedback")]
    assert sum(arrived.values()) == sum(answered.values()) == sum(requests)
    # Only the teacher's first request, of one token, is the same in both stages.
    assert sum(times > 1 for times in arrived.values()) == 1

    dialogues, pairs = rows_of(home, "distill"), rows_of(home, "feedback")
    assert {row["provenance"]["teacher"]["model"] for row in dialogues} == {"teacher"}
    repeated = series(home, "distill", metrics.left_out_of("repeated"))[-1][1]
    assert len(dialogues) + repeated == 40
    assert 1 <= len(pairs) <= 12
    assert series(home, "sft", metrics.ROWS_TRAINED)
    assert f"left out: {repeated:.0f} repeated" in ended.stdout
    assert "teacher: " in ended.stdout
