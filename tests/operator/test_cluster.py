"""What is asked of an API server, and what becomes of its answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from alignment_api.job import AlignmentJob, AlignmentJobStatus
from alignment_operator import __main__ as process
from alignment_operator import lease, scopes
from alignment_operator.backends import pytorchjob
from alignment_operator.cluster import KubernetesCluster, NotHeld
from alignment_operator.progress import ProgressReader
from alignment_operator.reconcile import Key
from alignment_operator.scopes import Scopes
from alignment_operator.settings import Settings
from api_server import ApiServer, with_api
from builders import a_child, a_document, a_run
from kubernetes.aio.client import ApiClient

KEY = Key("team", "job")
SETTINGS = Settings()
JOB = "/apis/alignment-operator.dev/v1alpha1/namespaces/team/alignmentjobs/job"
CHILD = "/apis/kubeflow.org/v1/namespaces/team/pytorchjobs/job-sft-1"


class World:
    """An API server with one job, and the cluster as the operator sees it."""

    def __init__(self, server: ApiServer, client: ApiClient) -> None:
        self.server, self.held = server, True
        self.cluster = KubernetesCluster(client, SETTINGS, ProgressReader("http://127.0.0.1:9", None), lambda _: self.held)
        server.store(JOB, {**a_document(), "metadata": {"uid": "abcdef12-3456", "generation": 1}})

    async def job(self) -> AlignmentJob:
        await self.cluster.relist()
        found = await self.cluster.job(KEY)
        assert found is not None
        return found


def with_world(act: Callable[[World], Awaitable[None]]) -> None:
    with_api(lambda server, client: act(World(server, client)))


def test_nothing_is_written_in_a_namespace_that_is_lost_in_the_middle() -> None:
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


def test_a_job_in_a_namespace_of_another_operator_is_looked_at_once_that_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: World) -> None:
        for module in (lease, scopes):
            monkeypatch.setattr(module, "monotonic", world.server.monotonic)
        await world.job()
        woken: list[str] = []
        theirs, ours = (Scopes(world.cluster._api, ["team"], f"aligning/{release}/pod") for release in ("first", "second"))
        await theirs.look()
        await ours.look()
        assert await process._reconcile(world.cluster, ours, SETTINGS, KEY) is None
        assert CHILD not in world.server.objects
        await theirs.release()
        await ours.look()
        world.server.seconds += 8
        ours.wake(woken.append)
        assert woken == ["team"] and world.cluster.jobs_seen.of_namespace("team") == [KEY]
        await process._reconcile(world.cluster, ours, SETTINGS, KEY)
        assert CHILD in world.server.objects

    with_world(act)
