"""Requests to an API server, and the effect of its answers."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from alignment_api.names import JOB_LABEL
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, Phase, StageStatus
from alignment_operator import __main__ as process
from alignment_operator.backends import pytorchjob
from alignment_operator.cluster import lease, scopes, stuck_pods
from alignment_operator.cluster.scopes import Scopes
from alignment_operator.cluster.world import KubernetesCluster, NotHeld
from alignment_operator.deciding.observation import Child, Key
from alignment_operator.progress.combined_progress import ProgressReader
from alignment_operator.progress.heartbeats import Heartbeats
from alignment_operator.progress.tracked_progress import TrackedProgress
from alignment_operator.settings import Settings
from api_server import ApiServer, with_api
from builders import a_child, a_document, a_job, a_run
from kubernetes.aio.client import ApiClient, ApiException

KEY = Key("team", "job")
SETTINGS = Settings()
JOB = "/apis/alignment-operator.dev/v1alpha1/namespaces/team/alignmentjobs/job"
CHILD = "/apis/kubeflow.org/v1/namespaces/team/pytorchjobs/job-sft-1"


class World:
    """An API server with one job, and the cluster as the operator sees it."""

    def __init__(self, server: ApiServer, client: ApiClient) -> None:
        self.server, self.held = server, True
        reader = ProgressReader(TrackedProgress("http://127.0.0.1:9", None, None), Heartbeats())
        self.cluster = KubernetesCluster(client, SETTINGS, pytorchjob, reader, lambda _: self.held)
        server.store(JOB, {**a_document(), "metadata": {"uid": "abcdef12-3456", "generation": 1}})

    async def job(self) -> AlignmentJob:
        await self.cluster.relist()
        found = await self.cluster.job(KEY)
        assert found is not None
        return found


def with_world(act: Callable[[World], Awaitable[None]]) -> None:
    with_api(lambda server, client: act(World(server, client)))


def test_nothing_is_written_to_a_namespace_whose_lease_was_lost() -> None:
    async def act(world: World) -> None:
        job = await world.job()
        world.held = False
        writes: list[Callable[[], Awaitable[Any]]] = [
            lambda: world.cluster.create(job, pytorchjob.render(a_run(job, "sft"), SETTINGS)),
            lambda: world.cluster.delete(job, a_child(job, "sft", "Running")),
            lambda: world.cluster.write_status(job, AlignmentJobStatus(phase="Pending")),
            lambda: world.cluster.delete_job(job),
        ]
        for write in writes:
            with pytest.raises(NotHeld):
                await write()
        assert world.server.writes() == []

    with_world(act)


def test_a_job_is_reconciled_once_the_other_operator_of_its_namespace_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: World) -> None:
        for module in (lease, scopes):
            monkeypatch.setattr(module, "monotonic", world.server.monotonic)
        await world.job()
        woken: list[str] = []
        theirs, ours = (Scopes(world.cluster._api, ["team"], f"aligning/{release}/pod") for release in ("first", "second"))
        await theirs.refresh()
        await ours.refresh()
        assert await process._reconcile(world.cluster, ours, SETTINGS, KEY) is None
        assert CHILD not in world.server.objects
        await theirs.release()
        await ours.refresh()
        world.server.seconds += 8
        ours.wake(woken.append)
        assert woken == ["team"] and world.cluster.jobs_seen.of_namespace("team") == [KEY]
        await process._reconcile(world.cluster, ours, SETTINGS, KEY)
        assert CHILD in world.server.objects

    with_world(act)


CONFIG_FOLDER = "/api/v1/namespaces/team/configmaps"


async def created(world: World) -> tuple[AlignmentJob, Child]:
    """Return a job and its child, after both were created with all their objects."""
    job = await world.job()
    await world.cluster.create(job, pytorchjob.render(a_run(job, "sft"), SETTINGS))
    world.server.requests.clear()
    [child] = await world.cluster.children(job)
    return job, child


def configs(world: World) -> list[str]:
    return [path for path in world.server.objects if path.startswith(CONFIG_FOLDER)]


def test_the_config_map_of_an_attempt_is_deleted_before_it() -> None:
    async def act(world: World) -> None:
        job, child = await created(world)
        [config] = configs(world)
        await world.cluster.delete(job, child)
        assert world.server.writes() == [f"DELETE {config}", f"DELETE {CHILD}"]
        assert configs(world) == []
        await world.cluster.delete(job, child)

    with_world(act)


def test_an_interrupted_deletion_is_completed_by_the_next_try() -> None:
    async def act(world: World) -> None:
        job, child = await created(world)
        world.server.refusals[f"DELETE {CHILD}"] = (503, "etcd is away")
        with pytest.raises(ApiException):
            await world.cluster.delete(job, child)
        world.server.refusals.clear()
        assert CHILD in world.server.objects and configs(world) == []
        await world.cluster.delete(job, child)
        assert CHILD not in world.server.objects

    with_world(act)


def test_children_are_stopped_even_without_permission_to_delete_config_maps() -> None:
    async def act(world: World) -> None:
        job, child = await created(world)
        [config] = configs(world)
        world.server.refusals[f"DELETE {config}"] = (403, "forbidden")
        await world.cluster.delete(job, child)
        assert CHILD not in world.server.objects

    with_world(act)


CLAIM = "/api/v1/namespaces/team/persistentvolumeclaims/job-workspace"


@pytest.mark.parametrize(
    ("situation", "modes", "may_read", "reasons"),
    [
        ("the claim is too narrow", ["ReadWriteOnce"], True, ["ClaimOfOneNode"]),
        ("the claim is wide enough", ["ReadWriteMany"], True, []),
        ("the operator may not read claims", ["ReadWriteOnce"], False, []),
    ],
)
def test_a_claim_that_is_too_narrow_for_an_edit_is_said_in_an_event(
    situation: str, modes: list[str], may_read: bool, reasons: list[str]
) -> None:
    async def act(world: World) -> None:
        world.server.store(CLAIM, {"metadata": {"labels": {JOB_LABEL: "job"}}, "spec": {"accessModes": modes}})
        if not may_read:
            world.server.refusals[f"GET {CLAIM}"] = (403, "forbidden")
        job = await world.job()
        edited = a_job(storage={"size": "1Gi"}, compute={"nodes": 1, "gpusPerNode": 0}, parallelStages=2)
        for _ in range(2):
            await world.cluster.create(job, pytorchjob.render(a_run(edited, "sft"), SETTINGS))
        events = [found["reason"] for path, found in world.server.objects.items() if "/events/" in path]
        assert events == reasons, situation
        assert CHILD in world.server.objects

    with_world(act)


def a_status(job: AlignmentJob, *stages: StageStatus, phase: Phase = "Running") -> AlignmentJobStatus:
    return AlignmentJobStatus(phase=phase, message="said", observed_generation=1, stages=list(stages))


def training(**others: Any) -> StageStatus:
    return StageStatus.model_validate({"name": "sft", "state": "Running", "attempts": 1, "child": "job-sft-1", **others})


FAR = {"step": 3, "totalSteps": 100, "percent": 30, "updatedTime": "2026-01-01T12:00:00Z"}


def without_progress(body: dict[str, Any]) -> str | None:
    """Refuse a status as an API server with a narrower definition does."""
    told = any("progress" in stage for stage in body.get("status", {}).get("stages", []))
    return "status.stages[0].progress.totalSteps: Invalid value\n(too large)" if told else None


def test_a_refused_status_is_reduced_to_what_decisions_need(caplog: pytest.LogCaptureFixture) -> None:
    async def act(world: World) -> None:
        world.server.validate = without_progress
        job = await world.job()
        full = a_status(job, training(progress=FAR, failedAttempt=1, applicationFailures=2))
        await world.cluster.write_status(job, full)
        written = world.server.objects[JOB]["status"]
        assert written["stages"] == [training(failedAttempt=1, applicationFailures=2).dump()]
        assert written["message"] == (
            "the API server refused the full status (status.stages[0].progress.totalSteps: Invalid value (too large)): said"
        )
        seen = await world.cluster.job(KEY)
        assert seen is not None and seen.status == full, "the same is not written again and again"
        events = [found for path, found in world.server.objects.items() if "/events/" in path]
        assert "StatusRefused" in [event["reason"] for event in events]

    with caplog.at_level(logging.INFO):
        with_world(act)
    warning, _ = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == (
        "team/job: the API server refused the status; writing a reduced one: 422 Unprocessable Entity: "
        "status.stages[0].progress.totalSteps: Invalid value (too large)"
    )


def test_a_job_whose_status_is_always_refused_still_starts_and_stops() -> None:
    async def act(world: World) -> None:
        scopes = Scopes(world.cluster._api, [], "aligning/release/pod")
        await scopes.refresh()
        go = functools.partial(process._reconcile, world.cluster, scopes, SETTINGS, KEY)
        world.server.validate = lambda body: "never" if "status" in body else None
        await world.job()
        for _ in range(4):
            await go()
        assert CHILD in world.server.objects
        world.server.requests.clear()
        await go()
        assert world.server.requests == [], "what was refused is not tried again without news"
        suspended = world.server.objects[JOB]
        world.server.store(JOB, {**suspended, "spec": {**suspended["spec"], "suspend": True}})
        await world.cluster.relist()
        await go()
        assert CHILD not in world.server.objects

    with_world(act)


def test_fields_that_an_older_definition_drops_are_logged_once_and_not_written_again(caplog: pytest.LogCaptureFixture) -> None:
    async def act(world: World) -> None:
        world.server.prune = lambda status: {name: value for name, value in status.items() if name != "stages"}
        job = await world.job()
        for attempts in (1, 2):
            status = a_status(job, training(attempts=attempts))
            await world.cluster.write_status(job, status)
            seen = await world.cluster.job(KEY)
            assert seen is not None and seen.status == status
            job = seen

    with caplog.at_level(logging.WARNING):
        with_world(act)
    assert [record.getMessage() for record in caplog.records] == [
        "team/job: the status is not stored in full: the cluster's AlignmentJob definition is older than this operator and "
        "dropped fields; apply the definition of its version"
    ]


def test_a_conflict_is_no_refusal() -> None:
    async def act(world: World) -> None:
        job = await world.job()
        world.server.store(JOB, world.server.objects[JOB])
        with pytest.raises(ApiException) as conflict:
            await world.cluster.write_status(job, a_status(job, training()))
        assert conflict.value.status == 409
        again = await world.cluster.job(KEY)
        assert again is not None
        await world.cluster.write_status(again, a_status(job, training()))
        assert world.server.objects[JOB]["status"]["phase"] == "Running"

    with_world(act)


def test_a_status_that_is_accepted_again_replaces_the_reduced_one() -> None:
    async def act(world: World) -> None:
        world.server.validate = without_progress
        job = await world.job()
        await world.cluster.write_status(job, a_status(job, training(progress=FAR)))
        world.server.validate = lambda _: None
        again = await world.cluster.job(KEY)
        assert again is not None
        whole = a_status(job, training(progress={**FAR, "totalSteps": 10}))
        await world.cluster.write_status(again, whole)
        assert world.server.objects[JOB]["status"] == whole.dump()
        seen = await world.cluster.job(KEY)
        assert seen is not None and seen.status == whole

    with_world(act)


def test_every_decision_and_every_write_is_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async def act(world: World) -> None:
        job, child = await created(world)
        await world.cluster.write_status(job, a_status(job, training()))
        await world.cluster.delete(job, child)

    with caplog.at_level(logging.INFO, logger="alignment_operator"):
        with_world(act)
    assert [record.getMessage() for record in caplog.records] == [
        "team/job sft 1: PyTorchJob job-sft-1 is created",
        "team/job sft 1: Running",
        "team/job sft 1: PyTorchJob job-sft-1 is deleted",
    ]


def test_a_refusal_of_the_api_server_is_one_line() -> None:
    async def act(world: World) -> None:
        job = await world.job()
        world.server.refusals[f"PUT {JOB}/status"] = (500, "etcd\nis away")
        with pytest.raises(ApiException) as refused:
            await world.cluster.write_status(job, a_status(job, training()))
        assert str(refused.value) == "500 Internal Server Error: etcd is away"

    with_world(act)


def test_a_stuck_child_has_the_reason_from_the_events_of_its_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuck_pods, "_STUCK_SECONDS", -1)

    async def act(world: World) -> None:
        job, child = await created(world)
        assert (child.state, child.reason) == ("Pending", "Starting")
        about = {"name": child.name, "uid": child.uid, "kind": "PyTorchJob"}
        told = {"type": "Warning", "reason": "FailedCreatePod", "message": "exceeded quota", "involvedObject": about}
        world.server.store("/api/v1/namespaces/team/events/one", {"metadata": {}, **told})
        assert await world.cluster.ask_about_stuck_pods() == {KEY}
        [stuck] = await world.cluster.children(job)
        assert (stuck.state, stuck.reason, stuck.message) == ("Pending", "FailedCreatePod", "job-sft-1: exceeded quota")

    with_world(act)


def test_a_stored_job_that_breaks_a_rule_of_a_new_version_is_still_read() -> None:
    async def act(world: World) -> None:
        rdma = {"resourceName": "nvidia.com/gpu", "count": 8}
        document = a_document(compute={"nodes": 2, "gpusPerNode": 8, "rdma": rdma})
        world.server.store(JOB, {**document, "metadata": {"uid": "abcdef12-3456", "generation": 1}})
        job = await world.job()
        assert job.spec.compute is not None and job.spec.compute.rdma is not None

    with_world(act)
