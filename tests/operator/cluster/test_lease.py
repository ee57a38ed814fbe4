"""One candidate holds a lease at a time; a killed holder is replaced soon, one that released the lease at once."""

import asyncio
import logging
from typing import Any

import pytest
from alignment_operator.cluster import lease as module
from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.lease import LEADER_SECONDS, LEASES, Lease, Lost, lead
from api_server import ApiServer, with_api
from kubernetes.aio.client import ApiClient

PATH = f"{LEASES}/namespaces/aligning/leases/release"


class Candidates:
    """Candidates for one lease."""

    def __init__(self, server: ApiServer, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self._api = server, KubernetesApi(client)
        monkeypatch.setattr(module, "monotonic", server.monotonic)

    def __call__(self, pod: str, release_prefix: str | None = None) -> Lease:
        return Lease(self._api, "aligning", "release", f"aligning/release/{pod}", LEADER_SECONDS, release_prefix)


def with_candidates(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    with_api(lambda server, client: act(server, Candidates(server, client, monkeypatch)))


def test_the_first_candidate_holds_it_as_long_as_it_renews_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        assert await first.acquire()
        for _ in range(20):
            server.seconds += 2
            assert await first.acquire()
            assert not await second.acquire()
        assert second.holder == "aligning/release/one"
        assert (second.held, second.error) == (False, None)

    with_candidates(monkeypatch, act)


def test_a_renewal_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        holder = candidate("one")
        await holder.acquire()
        server.requests.clear()
        server.seconds += 2
        await holder.acquire()
        assert server.requests == [f"PUT {PATH}"]

    with_candidates(monkeypatch, act)


@pytest.mark.parametrize(
    ("what", "seconds", "pod", "is_taken"),
    [
        ("a pod that was killed a moment ago may still run", LEADER_SECONDS, "two", False),
        ("a pod that was killed and has not renewed it", LEADER_SECONDS + 2, "two", True),
        ("a container that was restarted in the same pod", 1, "one", True),
    ],
)
def test_who_holds_it_after_a_kill(what: str, seconds: float, pod: str, is_taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        await candidate("one").acquire()
        server.seconds += seconds
        assert await candidate(pod).acquire() is is_taken

    with_candidates(monkeypatch, act)


def test_a_holder_stops_before_another_can_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.acquire()
        while not await second.acquire():
            was_held = first.held
            server.seconds += 0.5
        assert not was_held
        assert not await first.acquire()
        assert first.holder == second.identity

    with_candidates(monkeypatch, act)


def test_the_clocks_of_holders_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        for skewed in ("2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z"):
            spec = {"holderIdentity": "aligning/release/zero", "leaseDurationSeconds": 15, "renewTime": skewed}
            server.store(PATH, {"metadata": {}, "spec": spec})
            server.seconds += 15
            assert not await candidate("one").acquire()
            server.seconds += 2
            assert await candidate("one").acquire()

    with_candidates(monkeypatch, act)


def test_without_times_a_lease_expires_after_its_whole_duration_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.acquire()
        server.objects[PATH]["metadata"]["managedFields"] = []
        server.seconds += 100
        assert not await second.acquire()
        server.seconds += LEADER_SECONDS + 2
        assert await second.acquire()

    with_candidates(monkeypatch, act)


def test_a_released_lease_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.acquire()
        await second.acquire()
        await first.release()
        assert not first.held
        assert await second.acquire()
        assert second.gap_seconds is None

    with_candidates(monkeypatch, act)


def test_a_replica_of_the_same_release_takes_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        await candidate("one").acquire()
        server.seconds += 3
        second = candidate("two", release_prefix="aligning/release/")
        assert await second.acquire()
        assert second.gap_seconds == 3

    with_candidates(monkeypatch, act)


def test_an_unreachable_api_server_is_logged_once_and_the_lease_taken_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        holder = candidate("one")
        await holder.acquire()
        server.refusals = {f"PUT {PATH}": (503, "etcd is away"), f"GET {PATH}": (503, "etcd is away")}
        for _ in range(4):
            server.seconds += 2
            await holder.acquire()
        assert not holder.held
        assert holder.error == "503 Service Unavailable: etcd is away"
        server.refusals.clear()
        assert await holder.acquire()
        assert (holder.error, holder.gap_seconds) == (None, 8)

    with caplog.at_level(logging.WARNING):
        with_candidates(monkeypatch, act)
    assert len(caplog.records) == 1


async def begin_to_lead(lease: Lease) -> asyncio.Task[None]:
    """Start work without an end under a lease, and return once it has begun."""
    working = asyncio.Event()

    async def work() -> None:
        working.set()
        await asyncio.Event().wait()

    leading = asyncio.create_task(lead(lease, work))
    await working.wait()
    return leading


def test_work_ends_when_another_replica_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0)

    async def act(server: ApiServer, candidate: Candidates) -> None:
        leading = await begin_to_lead(candidate("one"))
        taken = server.objects[PATH]
        server.store(PATH, {**taken, "spec": {**taken["spec"], "holderIdentity": "aligning/release/two"}})
        with pytest.raises(ExceptionGroup) as ended:
            await leading
        assert ended.value.split(Lost)[1] is None
        assert server.objects[PATH]["spec"]["holderIdentity"] == "aligning/release/two"

    with_candidates(monkeypatch, act)


def test_a_leader_that_is_stopped_frees_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        leading = await begin_to_lead(candidate("one"))
        leading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leading
        assert await candidate("two").acquire()

    with_candidates(monkeypatch, act)
