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
from branching_jobs import branching, trained
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
    """Renders stages as `process` does, with children that end at once; those that are named have another order."""

    def __init__(self, **orders: dict[str, Any]) -> None:
        self._orders = orders

    def render(self, run: StageRun, settings: Settings) -> list[dict[str, Any]]:
        config, child = process.render(run, settings)
        order = self._orders.get(run.stage.name, {"do": "end", "exitCode": 0, "reason": "Completed"})
        config["data"]["run.json"] = json.dumps(order)
        child["spec"]["module"] = "obedient_child"
        return [config, child]


def run_until(cluster: LocalCluster, backend: Obedient, holds: Callable[[AlignmentJobStatus], bool]) -> AlignmentJob:
    """Reconcile as `alignment run` does, until a condition holds."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        asyncio.run(reconcile(cluster, backend, local_settings(cluster), Key("team", "job"), datetime.now(UTC)))
        job = asyncio.run(cluster.job(Key("team", "job")))
        if job is not None and job.status is not None and holds(job.status):
            return job
        time.sleep(0.05)
    raise AssertionError(f"it never came so far; last seen: {observe(cluster)}")


def run_to_its_end(cluster: LocalCluster) -> AlignmentJob:
    return run_until(cluster, Obedient(), is_finished)


def states(status: AlignmentJobStatus) -> str:
    return " ".join(f"{stage.name} {stage.reason or stage.state}" for stage in status.stages or [])


def test_stages_side_by_side_share_no_gpu_and_one_without_a_free_gpu_says_so(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,9")
    two = {"nodes": 1, "gpusPerNode": 2}
    job = branching([trained("a"), {**trained("b"), "compute": two}, trained("c")], 3, compute={"nodes": 1, "gpusPerNode": 1})
    backend = Obedient(a=WAITING, b=WAITING)
    cluster.apply(job)
    held = run_until(cluster, backend, lambda status: states(status) == "a Running b Running c GPUsTaken")
    folder = cluster.home.job_folder("team", "job")
    until(cluster, lambda children: all("GPUs" in (folder / f"job-{name}-1" / "output.log").read_text() for name in "ab"))
    given = [(folder / f"job-{name}-1" / "output.log").read_text().splitlines()[1] for name in "ab"]
    assert given == ["GPUs 4", "GPUs 7,9"]
    assert held.status is not None and (held.status.stages or [])[2].message == (
        "needs 1 of this machine's GPUs, and the stages beside it have taken all but 0 of 3; it starts when they end"
    )
    os.kill(json.loads((folder / "job-a-1" / "started.json").read_text())["pid"], signal.SIGTERM)
    after = run_until(cluster, backend, lambda status: "c Completed" in states(status))
    assert "GPUs 4" in cluster.log_file(after, "job-c-1").read_text()
    cluster.stop_requested = True
    run_until(cluster, backend, lambda status: status.phase == "Suspended")


def test_a_stop_request_stops_all_stages_and_they_continue_after_it(cluster: LocalCluster) -> None:
    cluster.apply(branching([trained("a"), trained("b"), trained("c", "a")], 2))
    backend = Obedient(a=WAITING, b=WAITING)
    run_until(cluster, backend, lambda status: states(status) == "a Running b Running c Waiting")
    folder = cluster.home.job_folder("team", "job")
    until(cluster, lambda children: all("at work" in (folder / f"job-{name}-1" / "output.log").read_text() for name in "ab"))
    cluster.stop_requested = True
    run_until(cluster, backend, lambda status: status.phase == "Suspended")
    ends = [json.loads((folder / f"job-{name}-1" / "termination.json").read_text())["exitCode"] for name in "ab"]
    assert ends == [75, 75]
    successor = LocalCluster(cluster.home)
    ended = run_to_its_end(successor)
    assert ended.status is not None
    assert [(stage.name, stage.attempts) for stage in ended.status.stages or []] == [("a", 2), ("b", 2), ("c", 1)]


def test_the_runner_is_killed_and_the_next_one_finds_both_stages(cluster: LocalCluster) -> None:
    cluster.apply(branching([trained("a"), trained("b")], 2))
    runner = os.fork()
    if runner == 0:
        run_until(cluster, Obedient(a=WAITING, b=WAITING), lambda status: states(status) == "a Running b Running")
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(runner, 0)
    successor = LocalCluster(cluster.home)
    assert [(child.name, child.state) for child in observe(successor)] == [("job-a-1", "Running"), ("job-b-1", "Running")]
    successor.stop_requested = True
    stopped = run_until(successor, Obedient(), lambda status: status.phase == "Suspended")
    assert stopped.status is not None
    assert [stage.attempts for stage in stopped.status.stages or []] == [1, 1]


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
