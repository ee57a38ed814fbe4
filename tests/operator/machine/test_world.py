"""The local world with real processes: it observes and stops them, and they survive the process that started them."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.names import METRICS_FILE
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from alignment_operator.backends import process
from alignment_operator.deciding.job_status import is_finished
from alignment_operator.deciding.observation import Child, Key
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.machine.run import local_settings
from alignment_operator.machine.world import LocalCluster
from alignment_operator.reconcile import reconcile
from alignment_operator.settings import Settings
from builders import a_job, a_run, a_training
from new_version import Change, change_recipe

__all__ = ["change_recipe"]

WAITING = {"do": "wait"}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalCluster:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "children"))
    return LocalCluster(Home(tmp_path))


def start(cluster: LocalCluster, order: dict[str, Any], attempt: int = 1, grace_seconds: int = 30) -> None:
    job = cluster.apply(a_job())
    config, child = process.render(
        a_run(job, "sft", attempt), Settings(grace_seconds=grace_seconds, workspace_path=str(cluster.home.workspace))
    )
    config["data"]["run.json"] = json.dumps(order)
    child["spec"]["module"] = "obedient_child"
    asyncio.run(cluster.create(job, [config, child]))


def observe(cluster: LocalCluster) -> list[Child]:
    job = asyncio.run(cluster.job(Key("team", "job")))
    assert job is not None
    return asyncio.run(cluster.children(job))


def until(cluster: LocalCluster, holds: Callable[[list[Child]], bool]) -> list[Child]:
    """Wait until a condition holds; the long limit only ends a test that has failed."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        children = observe(cluster)
        if holds(children):
            return children
        time.sleep(0.05)
    raise AssertionError(f"the condition never held; last seen: {observe(cluster)}")


def ended(children: list[Child]) -> bool:
    return all(child.state in ("Succeeded", "Failed") for child in children)


@pytest.mark.parametrize(
    ("order", "state", "exit_code", "reason"),
    [
        ({"do": "end", "exitCode": 0, "reason": "Completed"}, "Succeeded", 0, "Completed"),
        ({"do": "end", "exitCode": 65, "reason": "BadData"}, "Failed", 65, "BadData"),
        ({"do": "die"}, "Failed", 137, "Killed"),
    ],
)
def test_the_end_of_a_child_is_observed(
    cluster: LocalCluster, order: dict[str, Any], state: str, exit_code: int, reason: str
) -> None:
    start(cluster, order)
    (child,) = until(cluster, ended)
    assert (child.name, child.stage, child.attempt) == ("job-sft-1", "sft", 1)
    assert (child.state, child.exit_code, child.reason) == (state, exit_code, reason)


def test_a_child_gets_time_to_save_before_it_is_stopped(cluster: LocalCluster) -> None:
    start(cluster, WAITING)
    job = asyncio.run(cluster.job(Key("team", "job")))
    (child,) = until(cluster, lambda children: "child at work" in cluster.log_file(job, "job-sft-1").read_text())  # type: ignore[arg-type]
    assert child.state == "Running"
    asyncio.run(cluster.delete(job, child))  # type: ignore[arg-type]
    assert until(cluster, lambda children: children == []) == []
    termination = json.loads((cluster.home.job_folder("team", "job") / "job-sft-1" / "termination.json").read_text())
    assert termination["exitCode"] == 75


def test_a_child_gets_the_sync_command_to_print(cluster: LocalCluster) -> None:
    start(cluster, {"do": "end", "exitCode": 0, "reason": "Completed"})
    until(cluster, ended)
    assert f"alignment sync --home {cluster.home.root}" in cluster.log_file(cluster.apply(a_job()), "job-sft-1").read_text()


def test_a_stopped_child_is_observed_once_more_with_its_last_progress(cluster: LocalCluster) -> None:
    start(cluster, WAITING)
    job = cluster.apply(a_job())
    folder = cluster.home.job_folder("team", "job") / "job-sft-1"
    (child,) = until(cluster, lambda children: "child at work" in (folder / "output.log").read_text())
    asyncio.run(cluster.delete(job, child))
    last = until(cluster, lambda children: (folder / "deleted").exists())
    assert [child.state for child in last] == ["Stopping"]
    journal = cluster.stage_path(job, "sft") / METRICS_FILE
    journal.parent.mkdir(parents=True)
    journal.write_text(json.dumps({"time": 1, "step": 8, "metrics": {"progress/total_steps": 50}}) + "\n")
    assert asyncio.run(cluster.progress(job, last)).stages["sft"].step == 8
    assert observe(cluster) == []


def test_a_child_that_does_not_stop_is_killed_after_the_grace_period(cluster: LocalCluster) -> None:
    start(cluster, {**WAITING, "deaf": True}, grace_seconds=10)
    job = asyncio.run(cluster.job(Key("team", "job")))
    assert job is not None
    (child,) = until(cluster, lambda children: "child at work" in cluster.log_file(job, "job-sft-1").read_text())
    asyncio.run(cluster.delete(job, child))
    assert observe(cluster)[0].state == "Stopping"
    (cluster.home.job_folder("team", "job") / "job-sft-1" / "stopping").write_text("0")
    assert until(cluster, lambda children: children == []) == []


def test_a_child_survives_the_process_that_started_it(cluster: LocalCluster, tmp_path: Path) -> None:
    starter = os.fork()
    if starter == 0:
        start(cluster, WAITING)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(starter, 0)
    successor = LocalCluster(Home(tmp_path))
    (child,) = observe(successor)
    assert child.state == "Running"
    job = asyncio.run(successor.job(Key("team", "job")))
    assert job is not None
    until(successor, lambda children: "child at work" in successor.log_file(job, "job-sft-1").read_text())
    asyncio.run(successor.delete(job, child))
    assert until(successor, lambda children: children == []) == []


def test_a_child_that_exists_is_not_started_again(cluster: LocalCluster) -> None:
    start(cluster, WAITING)
    folder = cluster.home.job_folder("team", "job") / "job-sft-1"
    until(cluster, lambda children: "child at work" in (folder / "output.log").read_text())
    first = (folder / "started.json").read_text()
    start(cluster, WAITING)
    assert (folder / "started.json").read_text() == first
    (child,) = observe(cluster)
    asyncio.run(cluster.delete(a_job(), child))
    until(cluster, lambda children: children == [])


def test_the_log_of_a_deleted_child_stays_when_its_name_is_used_again(cluster: LocalCluster) -> None:
    start(cluster, {"do": "end", "exitCode": 65, "reason": "BadData"})
    (child,) = until(cluster, ended)
    asyncio.run(cluster.delete(a_job(), child))
    assert observe(cluster) == []
    start(cluster, {"do": "end", "exitCode": 0, "reason": "Completed"})
    (child,) = until(cluster, ended)
    assert (child.name, child.state) == ("job-sft-1", "Succeeded")
    assert "child at work" in (cluster.home.job_folder("team", "job") / "job-sft-1.1" / "output.log").read_text()


def test_applying_gives_a_new_generation_only_for_a_new_spec_or_after_a_failure(cluster: LocalCluster) -> None:
    first = cluster.apply(a_job())
    assert cluster.apply(a_job()).metadata.generation == first.metadata.generation == 1
    changed = cluster.apply(a_job(queueName="other"))
    assert (changed.metadata.generation, changed.metadata.uid) == (2, first.metadata.uid)
    asyncio.run(cluster.write_status(changed, AlignmentJobStatus(phase="Failed")))
    assert cluster.apply(a_job(queueName="other")).metadata.generation == 3


def test_after_a_stop_request_every_job_is_suspended_in_memory_only(cluster: LocalCluster) -> None:
    cluster.apply(a_job())
    cluster.stop_requested = True
    job = asyncio.run(cluster.job(Key("team", "job")))
    assert job is not None
    assert job.spec.suspend is True
    assert "suspend" not in (cluster.home.job_folder("team", "job") / "job.json").read_text()


def test_only_one_process_may_reconcile_a_job(cluster: LocalCluster) -> None:
    assert cluster.lock(Key("team", "job"))
    assert not LocalCluster(cluster.home).lock(Key("team", "job"))


def test_progress_is_read_from_a_journal_that_is_being_written(cluster: LocalCluster) -> None:
    job = cluster.apply(a_job())
    folder = cluster.stage_path(job, "sft")
    folder.mkdir(parents=True)
    points = [
        {
            "time": 1000 * step,
            "step": step,
            "metrics": {"train/loss": 1 / step, "progress/total_steps": 50, "progress/seconds_left": 9.6},
        }
        for step in range(1, 11)
    ]
    text = "".join(json.dumps(point) + "\n" for point in points) + '{"time": 11000, "step": 11, "metr'
    (folder / METRICS_FILE).write_text(text)
    start(cluster, {"do": "end", "exitCode": 0, "reason": "Completed"})
    found = asyncio.run(cluster.progress(job, until(cluster, ended))).stages["sft"]
    assert (found.step, found.total_steps, found.percent, found.seconds_left) == (10, 50, 20, 10)
    assert found.metrics == {"train/loss": 0.1}


def test_a_journal_with_nan_still_shows_progress(cluster: LocalCluster) -> None:
    job = cluster.apply(a_job())
    folder = cluster.stage_path(job, "sft")
    folder.mkdir(parents=True)
    point = {"time": 1, "step": 1, "metrics": {"train/loss": float("nan"), "progress/total_steps": 5}}
    (folder / METRICS_FILE).write_text(json.dumps(point) + "\n")
    start(cluster, {"do": "end", "exitCode": 0, "reason": "Completed"})
    assert asyncio.run(cluster.progress(job, until(cluster, ended))).stages["sft"].metrics == {}


def test_deleting_a_job_leaves_its_workspace(cluster: LocalCluster) -> None:
    job = cluster.apply(a_job())
    cluster.stage_path(job, "sft").mkdir(parents=True)
    asyncio.run(cluster.delete_job(job))
    assert asyncio.run(cluster.job(Key("team", "job"))) is None
    assert cluster.stage_path(job, "sft").exists()


class Obedient:
    """Renders stages as `process` does, with children that end at once."""

    def render(self, run: StageRun, settings: Settings) -> list[dict[str, Any]]:
        config, child = process.render(run, settings)
        config["data"]["run.json"] = json.dumps({"do": "end", "exitCode": 0, "reason": "Completed"})
        child["spec"]["module"] = "obedient_child"
        return [config, child]


def run_to_its_end(cluster: LocalCluster) -> AlignmentJob:
    """Reconcile as `alignment run` does."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        asyncio.run(reconcile(cluster, Obedient(), local_settings(cluster), Key("team", "job"), datetime.now(UTC)))
        job = asyncio.run(cluster.job(Key("team", "job")))
        if job is not None and is_finished(job.status):
            return job
        time.sleep(0.05)
    raise AssertionError(f"the job never ended; last seen: {observe(cluster)}")


def test_a_new_version_reruns_nothing_and_an_edit_only_the_stages_that_it_changes(
    cluster: LocalCluster, change_recipe: Change
) -> None:
    cluster.apply(a_job())
    finished = run_to_its_end(cluster)
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    cluster.apply(a_job())
    assert run_to_its_end(cluster).status == finished.status
    assert [child.name for child in observe(cluster)] == ["job-dpo-1", "job-sft-1"]
    edit = [{"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training(beta=0.3)}]
    cluster.apply(a_job(stages=edit))
    again = run_to_its_end(cluster)
    assert [(stage.name, stage.attempts) for stage in (again.status.stages if again.status else None) or []] == [
        ("sft", 1),
        ("dpo", 2),
    ]
    record = again.status.record if again.status else None
    assert record is not None
    kept = [next(stage[kind] for kind in ("sft", "dpo") if kind in stage) for stage in json.loads(record.resolved)["stages"]]
    assert [settings["checkpoint"]["keep"] for settings in kept] == [2, 2]


def test_an_edit_of_a_job_without_a_record_reruns_only_the_stages_that_it_changes(
    cluster: LocalCluster, change_recipe: Change
) -> None:
    cluster.apply(a_job())
    finished = run_to_its_end(cluster)
    assert finished.status is not None
    asyncio.run(cluster.write_status(finished, finished.status.model_copy(update={"record": None})))
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    edit = [{"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training(beta=0.3)}]
    assert settle(cluster.with_status(a_job(stages=edit))).edited == {"dpo"}
    cluster.apply(a_job(stages=edit))
    again = run_to_its_end(cluster)
    attempts = {stage.name: stage.attempts for stage in (again.status.stages if again.status else None) or []}
    assert attempts == {"sft": 1, "dpo": 2}
