"""One holds a lease at a time, whoever asks when; a killed holder is followed soon, one that released it at once."""

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
    """Replicas that want one lease."""

    def __init__(self, server: ApiServer, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self._api = server, KubernetesApi(client)
        monkeypatch.setattr(module, "monotonic", server.monotonic)

    def __call__(self, pod: str, kin: str | None = None) -> Lease:
        return Lease(self._api, "aligning", "release", f"aligning/release/{pod}", LEADER_SECONDS, kin)


def with_candidates(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    with_api(lambda server, client: act(server, Candidates(server, client, monkeypatch)))


def test_the_first_holds_it_as_long_as_it_renews_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        assert await first.seek()
        for _ in range(20):
            server.seconds += 2
            assert await first.seek()
            assert not await second.seek()
        assert second.holder == "aligning/release/one"
        assert (second.held, second.trouble) == (False, None)

    with_candidates(monkeypatch, act)


def test_a_renewal_is_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        holder = candidate("one")
        await holder.seek()
        server.requests.clear()
        server.seconds += 2
        await holder.seek()
        assert server.requests == [f"PUT {PATH}"]

    with_candidates(monkeypatch, act)


@pytest.mark.parametrize(
    ("what", "silent_seconds", "pod", "is_taken"),
    [
        ("a pod that was killed a moment ago may still be at work", LEADER_SECONDS, "two", False),
        ("a pod that was killed and did not renew it", LEADER_SECONDS + 2, "two", True),
        ("a container that was started anew in the same pod", 1, "one", True),
    ],
)
def test_who_comes_after_a_kill(
    what: str, silent_seconds: float, pod: str, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        await candidate("one").seek()
        server.seconds += silent_seconds
        assert await candidate(pod).seek() is is_taken

    with_candidates(monkeypatch, act)


def test_a_holder_stops_before_anybody_can_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.seek()
        while not await second.seek():
            was_held = first.held
            server.seconds += 0.5
        assert not was_held
        assert not await first.seek()
        assert first.holder == second.identity

    with_candidates(monkeypatch, act)


def test_clocks_of_holders_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        for skewed in ("2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z"):
            spec = {"holderIdentity": "aligning/release/zero", "leaseDurationSeconds": 15, "renewTime": skewed}
            server.store(PATH, {"metadata": {}, "spec": spec})
            server.seconds += 15
            assert not await candidate("one").seek()
            server.seconds += 2
            assert await candidate("one").seek()

    with_candidates(monkeypatch, act)


def test_where_the_api_server_tells_no_time_a_lease_is_watched_for_all_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.seek()
        server.objects[PATH]["metadata"]["managedFields"] = []
        server.seconds += 100
        assert not await second.seek()
        server.seconds += LEADER_SECONDS + 2
        assert await second.seek()

    with_candidates(monkeypatch, act)


def test_a_lease_that_is_released_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        first, second = candidate("one"), candidate("two")
        await first.seek()
        await second.seek()
        await first.release()
        assert not first.held
        assert await second.seek()
        assert second.gap_seconds is None

    with_candidates(monkeypatch, act)


def test_kin_is_followed_at_once_and_the_gap_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        await candidate("one").seek()
        server.seconds += 3
        second = candidate("two", kin="aligning/release/")
        assert await second.seek()
        assert second.gap_seconds == 3

    with_candidates(monkeypatch, act)


def test_an_api_server_out_of_reach_is_told_once_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        holder = candidate("one")
        await holder.seek()
        server.refusals = {f"PUT {PATH}": (503, "etcd is away"), f"GET {PATH}": (503, "etcd is away")}
        for _ in range(4):
            server.seconds += 2
            await holder.seek()
        assert not holder.held
        assert holder.trouble == "503 Service Unavailable: etcd is away"
        server.refusals.clear()
        assert await holder.seek()
        assert (holder.trouble, holder.gap_seconds) == (None, 8)

    with caplog.at_level(logging.WARNING):
        with_candidates(monkeypatch, act)
    assert len(caplog.records) == 1


def test_work_ends_when_another_leads_and_a_standby_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RENEW_SECONDS", 0)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0)

    async def act(server: ApiServer, candidate: Candidates) -> None:
        working = asyncio.Event()

        async def work() -> None:
            working.set()
            await asyncio.Event().wait()

        leading = asyncio.create_task(lead(candidate("one"), work))
        await working.wait()
        taken = server.objects[PATH]
        server.store(PATH, {**taken, "spec": {**taken["spec"], "holderIdentity": "aligning/release/two"}})
        with pytest.raises(ExceptionGroup) as ended:
            await leading
        assert ended.value.split(Lost)[1] is None
        assert server.objects[PATH]["spec"]["holderIdentity"] == "aligning/release/two"

    with_candidates(monkeypatch, act)


def test_a_leader_that_is_stopped_leaves_a_lease_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, candidate: Candidates) -> None:
        working = asyncio.Event()

        async def work() -> None:
            working.set()
            await asyncio.Event().wait()

        leading = asyncio.create_task(lead(candidate("one"), work))
        await working.wait()
        leading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leading
        assert await candidate("two").seek()

    with_candidates(monkeypatch, act)
