"""Observe, plan, apply and report, in this order, and nothing twice."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from alignment_api.names import INPUT_HASH_ANNOTATION
from alignment_api.resolving.validation import read_stored_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.status import AlignmentJobStatus
from alignment_operator.backends import process, pytorchjob
from alignment_operator.deciding.observation import Child, Key, Report
from alignment_operator.reconcile import Refused, reconcile
from alignment_operator.settings import Settings
from branching_jobs import trained
from builders import NOW, a_child, a_document, a_job, a_training, later
from new_version import Change, change_recipe

__all__ = ["change_recipe"]

KEY = Key("team", "job")


class MemoryCluster:
    """A cluster in memory with one job; it records all writes."""

    def __init__(self, job: AlignmentJob | None) -> None:
        self.stored = job
        self.observed: dict[str, Child] = {}
        self.acts: list[str] = []
        self.made: dict[str, dict[str, Any]] = {}
        self.refusal: Refused | None = None
        self.refused_stages: tuple[str, ...] = ()
        """Of these only, if there are any."""

    async def job(self, key: Key) -> AlignmentJob | None:
        return self.stored

    async def children(self, job: AlignmentJob) -> list[Child]:
        return list(self.observed.values())

    async def progress(self, job: AlignmentJob, children: list[Child]) -> Report:
        return Report(asked_since=dict.fromkeys(("sft", "dpo"), NOW))

    async def create(self, job: AlignmentJob, manifests: list[dict[str, Any]]) -> None:
        name = manifests[-1]["metadata"]["name"]
        if self.refusal and (not self.refused_stages or name.split("-")[1] in self.refused_stages):
            raise self.refusal
        self.acts.append(f"create {name}")
        self.made[name] = manifests[-1]
        _, stage, attempt = name.split("-")
        self.observed[name] = a_child(job, stage, "Running", attempt=int(attempt))

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        self.acts.append(f"delete {child.name}")
        del self.observed[child.name]

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        self.acts.append(f"status {status.phase}")
        self.stored = job.model_copy(update={"status": status})

    async def delete_job(self, job: AlignmentJob) -> None:
        self.acts.append("delete job")
        self.stored = None

    def end(self, name: str, state: str, **others: Any) -> None:
        self.observed[name] = replace(self.observed[name], state=state, **{"end_time": NOW, **others})  # type: ignore[arg-type]


def go(cluster: MemoryCluster, seconds: float = 0) -> list[str]:
    """Reconcile once and return the writes."""
    cluster.acts.clear()
    asyncio.run(reconcile(cluster, process, Settings(), KEY, later(seconds)))
    return list(cluster.acts)


def test_a_job_from_beginning_to_end() -> None:
    cluster = MemoryCluster(a_job())
    assert go(cluster) == ["create job-sft-1", "status Pending"]
    assert go(cluster) == ["status Running"]
    assert go(cluster) == []
    cluster.end("job-sft-1", "Succeeded")
    assert go(cluster, 1) == ["create job-dpo-1", "status Pending"]
    cluster.end("job-dpo-1", "Failed", exit_code=1)
    assert go(cluster, 2) == ["status Restarting"]
    assert go(cluster, 3) == []
    assert go(cluster, 20) == ["delete job-dpo-1"]
    assert go(cluster, 20) == ["create job-dpo-2", "status Pending"]
    cluster.end("job-dpo-2", "Succeeded")
    assert go(cluster, 30) == ["status Succeeded"]
    assert go(cluster, 1000) == []


def test_after_a_write_the_job_is_reconciled_again_at_once_until_nothing_is_left_to_do() -> None:
    cluster = MemoryCluster(a_job())
    waits = [asyncio.run(reconcile(cluster, process, Settings(), KEY, NOW)) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert waits[2] is not None and waits[2] > 0, "the stall timeout"
    assert cluster.acts == ["create job-sft-1", "status Pending", "status Running"]


def test_a_status_that_was_lost_is_written_again() -> None:
    cluster = MemoryCluster(a_job())
    go(cluster)
    assert cluster.stored is not None
    cluster.stored = cluster.stored.model_copy(update={"status": None})
    assert go(cluster) == ["status Running"]


TOO_LARGE = {"recipe": "zephyr-paper", "model": None, "stages": None, "compute": {"nodes": 1, "sharding": "None"}}


@pytest.fixture
def without_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this version lack a page for one kind."""
    monkeypatch.setitem(KINDS, "export", replace(KINDS["export"], runs=False))


@pytest.mark.usefixtures("without_exports")
@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"stages": [{"name": "out", "export": {}}]}, "this version cannot run this kind of stage yet"),
        (TOO_LARGE, "GiB of each GPU, and NVIDIA-A100-SXM4-80GB has 80.0; set compute.sharding to ZeRO1, with which"),
    ],
    ids=["a stage without a trainer", "a stage that no such GPU can hold"],
)
def test_a_job_that_cannot_run_is_reported_once_and_no_child_is_touched(spec: dict[str, Any], sentence: str) -> None:
    cluster = MemoryCluster(a_job(**spec))
    assert go(cluster) == ["status Failed"]
    assert cluster.stored is not None and cluster.stored.status is not None
    assert cluster.stored.status.reason == "InvalidSpec"
    assert sentence in (cluster.stored.status.message or "")
    assert go(cluster, 10) == []


def under_way(**spec: Any) -> MemoryCluster:
    """A cluster in which the first stage runs."""
    cluster = MemoryCluster(a_job(**spec))
    go(cluster)
    go(cluster)
    return cluster


def status_of(cluster: MemoryCluster) -> AlignmentJobStatus:
    assert cluster.stored is not None and cluster.stored.status is not None
    return cluster.stored.status


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("a recipe that does not exist", {"recipe": "no-such"}),
    ("a stage without a trainer", {"stages": [{"name": "out", "export": {}}]}),
]


@pytest.mark.usefixtures("without_exports")
@pytest.mark.parametrize("edit", [row[1] for row in INVALID], ids=[row[0] for row in INVALID])
def test_after_an_edit_that_cannot_run_the_attempt_continues_and_nothing_new_starts(edit: dict[str, Any]) -> None:
    cluster = under_way()
    cluster.stored = a_job(generation=2, status=status_of(cluster), **edit)
    assert go(cluster, 1) == ["status Running"]
    assert (status_of(cluster).reason, status_of(cluster).observed_generation) == ("InvalidSpec", 2)
    assert go(cluster, 2) == []
    cluster.end("job-sft-1", "Succeeded")
    assert go(cluster, 3) == ["status Failed"], "nothing new starts"
    assert [stage.state for stage in status_of(cluster).stages or []] == ["Succeeded", "Waiting"]
    cluster.stored = a_job(generation=3, status=status_of(cluster))
    assert go(cluster, 4) == ["create job-dpo-1", "status Pending"]


def test_an_edit_that_cannot_run_may_still_suspend() -> None:
    cluster = under_way()
    cluster.stored = a_job(generation=2, status=status_of(cluster), recipe="no-such", suspend=True)
    assert go(cluster, 1) == ["status Running", "delete job-sft-1"]
    go(cluster, 2)
    assert (status_of(cluster).phase, status_of(cluster).reason) == ("Failed", "InvalidSpec")
    cluster.stored = a_job(generation=3, status=status_of(cluster))
    assert go(cluster, 3) == ["create job-sft-2", "status Pending"]


def test_a_job_that_was_refused_expires_as_well() -> None:
    for cluster in (MemoryCluster(a_job(recipe="no-such", ttlSecondsAfterFinished=60)), under_way(ttlSecondsAfterFinished=60)):
        if cluster.observed:
            cluster.end("job-sft-1", "Failed", exit_code=65)
            go(cluster)
            cluster.stored = a_job(generation=2, status=status_of(cluster), recipe="no-such", ttlSecondsAfterFinished=60)
        assert go(cluster) == ["status Failed"]
        assert go(cluster, 59) == []
        assert go(cluster, 60) == ["delete job"]


def test_an_upgrade_replaces_no_running_or_finished_stage(change_recipe: Change) -> None:
    running, finished = under_way(), under_way()
    finished.end("job-sft-1", "Succeeded")
    go(finished)
    finished.end("job-dpo-1", "Succeeded")
    assert go(finished) == ["status Succeeded"]
    without_record(running)
    without_record(finished)
    change_recipe("defaults", "keep: 2 ", "keep: 3 ")
    change_recipe("defaults", "sharedMemory: 8Gi ", "sharedMemory: 9Gi ")
    assert go(running, 10) == ["status Running"], "the record is written"
    assert go(finished, 10) == ["status Succeeded"]
    change_recipe("defaults", "keep: 3 ", "keep: 4 ")
    change_recipe("defaults", "microBatchSize: 1 ", "microBatchSize: 2 ")
    assert go(running, 20) == []
    assert go(finished, 20) == []
    running.end("job-sft-1", "Failed", exit_code=137)
    assert go(running, 21) == ["status Restarting"]
    go(running, 60)
    assert go(running, 60) == ["create job-sft-2", "status Pending"]
    made = running.made["job-sft-2"]
    assert made["metadata"]["annotations"][INPUT_HASH_ANNOTATION] == (status_of(running).stages or [])[0].input_hash


def without_record(cluster: MemoryCluster) -> None:
    """Reduce the status to what versions without records wrote."""
    status = status_of(cluster)
    stages = [stage.model_copy(update={"fingerprint": None}) for stage in status.stages or []]
    old = status.model_copy(update={"record": None, "stages": stages})
    cluster.stored = a_job(status=old)


def test_a_refusal_by_the_backend_is_reported() -> None:
    cluster = MemoryCluster(a_job(storage=None))
    asyncio.run(reconcile(cluster, pytorchjob, Settings(), KEY, NOW))
    assert cluster.acts == ["status Failed"]
    assert cluster.stored is not None and cluster.stored.status is not None
    assert "spec.storage: is not set" in (cluster.stored.status.message or "")


def test_a_job_that_is_deleted_or_being_deleted_is_ignored() -> None:
    assert go(MemoryCluster(None)) == []
    job = a_job()
    going = job.model_copy(update={"metadata": job.metadata.model_copy(update={"deletion_timestamp": NOW})})
    assert go(MemoryCluster(going)) == []


def test_a_refused_child_is_reported_and_retried_as_the_same_attempt() -> None:
    cluster = MemoryCluster(a_job())
    cluster.refusal = Refused("QuotaExceeded", "exceeded quota: team")
    assert go(cluster) == ["status Pending"]
    assert cluster.stored is not None and cluster.stored.status is not None
    assert (cluster.stored.status.reason, cluster.stored.status.message) == ("QuotaExceeded", "sft: exceeded quota: team")
    assert go(cluster, 15) == []
    cluster.refusal = None
    assert go(cluster, 30) == ["create job-sft-1", "status Pending"]


SIDE_BY_SIDE: dict[str, Any] = {"stages": [trained("one"), trained("two"), trained("three", "one")], "parallelStages": 2}


def test_a_refused_child_holds_back_no_other_stage() -> None:
    cluster = MemoryCluster(a_job(**SIDE_BY_SIDE))
    cluster.refusal, cluster.refused_stages = Refused("QuotaExceeded", "exceeded quota: team"), ("one",)
    assert go(cluster) == ["create job-two-1", "status Pending"]
    assert go(cluster) == ["status Running"]
    status = status_of(cluster)
    assert (status.current_stage, status.message) == ("one, two", "one: exceeded quota: team; two is running")
    assert next((stage.state, stage.attempts, stage.child) for stage in status.stages or []) == ("Pending", 0, None)
    assert go(cluster, 5) == []
    cluster.end("job-two-1", "Failed", exit_code=1)
    assert go(cluster, 6) == ["status Restarting"], "the failure of the other is counted as ever"
    assert asyncio.run(reconcile(cluster, process, Settings(), KEY, later(7))) == 5
    assert go(cluster, 30) == ["delete job-two-1"]
    cluster.refusal = None
    assert go(cluster, 31) == ["create job-one-1", "create job-two-2", "status Pending"]


def test_what_an_attempt_has_used_is_written_before_it_is_stopped_also_if_another_begins() -> None:
    cluster = MemoryCluster(a_job(**SIDE_BY_SIDE))
    go(cluster)
    go(cluster)
    cluster.end("job-one-1", "Succeeded")
    edited = [SIDE_BY_SIDE["stages"][0], trained("two", beta=0.5), SIDE_BY_SIDE["stages"][2]]
    cluster.stored = a_job(2, status_of(cluster), stages=edited, parallelStages=2)
    assert go(cluster, 60) == ["create job-three-1", "status Restarting", "delete job-two-1"]
    assert [stage.active_seconds for stage in status_of(cluster).stages or []] == [0, 60, 0]
    assert go(cluster, 61) == ["create job-two-2", "status Running"]


def test_an_expired_job_is_deleted() -> None:
    cluster = MemoryCluster(a_job(ttlSecondsAfterFinished=0))
    for name in ("sft", "dpo"):
        go(cluster)
        cluster.end(f"job-{name}-1", "Succeeded")
    assert go(cluster) == ["status Succeeded"]
    assert go(cluster) == ["delete job"]


FAILED_DELETIONS: list[tuple[str, dict[str, Any], float, str]] = [
    ("over its deadline", {"activeDeadlineSeconds": 100}, 101, "DeadlineExceeded"),
    ("stalled for the last time", {"restart": {"applicationFailures": 0, "stallTimeoutSeconds": 60}}, 1000, "Stalled"),
    ("stalled", {"restart": {"applicationFailures": 3, "stallTimeoutSeconds": 60}}, 1000, "Stalled"),
]


@pytest.mark.parametrize(
    ("spec", "seconds", "reason"), [row[1:] for row in FAILED_DELETIONS], ids=[row[0] for row in FAILED_DELETIONS]
)
def test_a_deletion_that_fails_is_repeated_and_nothing_is_counted_twice(
    spec: dict[str, Any], seconds: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = under_way(**spec)

    async def fail(job: AlignmentJob, child: Child) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(cluster, "delete", fail)
        for later_still in range(3):
            with pytest.raises(TimeoutError):
                go(cluster, seconds + later_still)
    decided = status_of(cluster)
    assert decided.reason == reason
    assert [stage.application_failures for stage in decided.stages or []] == [1 if reason == "Stalled" else 0, 0]
    assert go(cluster, seconds + 3) == ["delete job-sft-1"]
    assert status_of(cluster) == decided


def test_a_job_without_a_record_continues_and_can_be_suspended_although_a_new_rule_refuses_it() -> None:
    rdma = {"resourceName": "nvidia.com/gpu", "count": 8}
    compute = {"nodes": 2, "gpusPerNode": 0}
    cluster = under_way(compute=compute, ttlSecondsAfterFinished=60)
    without_record(cluster)
    stored = stored_job(1, status_of(cluster), compute={**compute, "rdma": rdma}, ttlSecondsAfterFinished=60)
    cluster.stored = stored
    assert go(cluster, 1) == ["status Running"]
    assert status_of(cluster).reason == "Training"
    edited = stored_job(2, status_of(cluster), compute={**compute, "rdma": rdma}, ttlSecondsAfterFinished=60, suspend=True)
    cluster.stored = edited
    assert go(cluster, 2) == ["status Running", "delete job-sft-1"]


def test_a_record_that_cannot_be_read_is_reported_and_stops_nothing() -> None:
    cluster = under_way()
    record = status_of(cluster).record
    assert record is not None
    broken = status_of(cluster).model_copy(update={"record": record.model_copy(update={"resolved": "{"})})
    cluster.stored = a_job(status=broken, ttlSecondsAfterFinished=1)
    assert go(cluster, 1) == ["status Running"]
    assert "status.record: was written by another version" in (status_of(cluster).message or "")
    assert go(cluster, 100) == [], "a job under way does not expire"
    cluster.stored = a_job(status=status_of(cluster), suspend=True)
    assert go(cluster, 101) == ["delete job-sft-1"]


def stored_job(generation: int, status: AlignmentJobStatus, **spec: Any) -> AlignmentJob:
    """The same job as the cluster returns it if an earlier version accepted it."""
    job = read_stored_job(a_document(**spec))
    metadata = job.metadata.model_copy(update={"namespace": "team", "uid": "abcdef12-3456", "generation": generation})
    return job.model_copy(update={"metadata": metadata, "status": status})


class Crash(Exception):
    """The operator is killed."""


class CrashingCluster(MemoryCluster):
    """The operator is killed at one of its writes: before it is carried out, or right after."""

    def __init__(self, job: AlignmentJob, write: int | None, is_carried_out: bool) -> None:
        super().__init__(job)
        self._left = write
        self._is_carried_out = is_carried_out
        self.created: list[str] = []
        self.writes = 0

    async def create(self, job: AlignmentJob, manifests: list[dict[str, Any]]) -> None:
        self.created.append(manifests[-1]["metadata"]["name"])
        await self._write(super().create(job, manifests), self.created.pop)

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        await self._write(super().delete(job, child))

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        await self._write(super().write_status(job, status))

    async def _write(self, act: Coroutine[Any, Any, None], undo: Callable[[], object] = lambda: None) -> None:
        self.writes += 1
        self._left = self._left - 1 if self._left is not None else None
        if self._left == 0 and not self._is_carried_out:
            act.close()
            undo()
            raise Crash
        await act
        if self._left == 0:
            raise Crash


def settle_down(cluster: CrashingCluster, seconds: float) -> None:
    """Reconcile until nothing is left to do, and restart the operator whenever it was killed."""
    for _ in range(12):
        before = cluster.writes
        with suppress(Crash):
            go(cluster, seconds)
        if cluster.writes == before:
            return
    raise AssertionError(f"it never comes to rest: {cluster.acts}")


def edit(cluster: CrashingCluster, generation: int, **spec: Any) -> None:
    cluster.stored = a_job(generation=generation, status=cluster.stored.status if cluster.stored else None, **LIFE, **spec)


LIFE = {"compute": {"nodes": 1, "gpusPerNode": 2}, "restart": {"applicationFailures": 2, "stallTimeoutSeconds": 100}}


def live(write: int | None, is_carried_out: bool) -> CrashingCluster:
    """Run a job through a failure, a suspension, an edit that cannot run, one that can, an edit of a later stage, and its end."""
    cluster = CrashingCluster(a_job(**LIFE), write, is_carried_out)
    settle_down(cluster, 0)
    cluster.end("job-sft-1", "Failed", exit_code=1, end_time=later(10), last_checkpoint=5)
    settle_down(cluster, 10)
    settle_down(cluster, 60)
    edit(cluster, 2, suspend=True)
    settle_down(cluster, 70)
    edit(cluster, 3)
    settle_down(cluster, 80)
    edit(cluster, 4, recipe="no-such")
    settle_down(cluster, 85)
    edit(cluster, 5)
    settle_down(cluster, 90)
    cluster.end("job-sft-3", "Succeeded", end_time=later(100))
    settle_down(cluster, 100)
    edit(cluster, 6, stages=[{"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training(beta=0.7)}])
    settle_down(cluster, 110)
    cluster.end("job-dpo-2", "Succeeded", end_time=later(120))
    settle_down(cluster, 120)
    return cluster


UNDISTURBED = live(None, False)


@pytest.mark.parametrize("is_carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, UNDISTURBED.writes + 1))
def test_an_operator_killed_at_any_write_creates_nothing_twice_and_loses_nothing(write: int, is_carried_out: bool) -> None:
    assert UNDISTURBED.created == ["job-sft-1", "job-sft-2", "job-sft-3", "job-dpo-1", "job-dpo-2"]
    cluster = live(write, is_carried_out)
    assert cluster.created == UNDISTURBED.created
    assert status_of(cluster) == status_of(UNDISTURBED)


def live_side_by_side(write: int | None, is_carried_out: bool) -> CrashingCluster:
    """Run three stages, two at a time: one is tried again while the other runs, which then fails for good."""
    spec = {**LIFE, **SIDE_BY_SIDE}
    cluster = CrashingCluster(a_job(**spec), write, is_carried_out)
    settle_down(cluster, 0)
    cluster.end("job-one-1", "Failed", exit_code=1, end_time=later(10))
    settle_down(cluster, 10)
    settle_down(cluster, 40)
    cluster.end("job-one-2", "Succeeded", end_time=later(50))
    settle_down(cluster, 50)
    cluster.end("job-two-1", "Failed", exit_code=65, end_time=later(60))
    settle_down(cluster, 60)
    cluster.end("job-three-1", "Succeeded", end_time=later(90))
    settle_down(cluster, 90)
    return cluster


UNDISTURBED_SIDE_BY_SIDE = live_side_by_side(None, False)


@pytest.mark.parametrize("is_carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, UNDISTURBED_SIDE_BY_SIDE.writes + 1))
def test_an_operator_killed_at_any_write_loses_nothing_of_stages_side_by_side(write: int, is_carried_out: bool) -> None:
    assert UNDISTURBED_SIDE_BY_SIDE.created == ["job-one-1", "job-two-1", "job-one-2", "job-three-1"]
    assert status_of(UNDISTURBED_SIDE_BY_SIDE).phase == "Failed"
    cluster = live_side_by_side(write, is_carried_out)
    assert cluster.created == UNDISTURBED_SIDE_BY_SIDE.created
    assert status_of(cluster) == status_of(UNDISTURBED_SIDE_BY_SIDE)
