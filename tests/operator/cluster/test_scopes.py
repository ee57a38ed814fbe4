"""Two operators never work in one namespace at once, and the one that leaves it alone logs which one does."""

import logging
from typing import Any

import pytest
from alignment_operator.cluster import lease, telemetry
from alignment_operator.cluster import scopes as module
from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.lease import LEASES
from alignment_operator.cluster.scopes import Scopes
from api_server import ApiServer, with_api
from kubernetes.aio.client import ApiClient

LIST = f"GET {LEASES}/leases"


class Operators:
    """Releases that watch some namespaces, or all."""

    def __init__(self, server: ApiServer, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self._api = server, KubernetesApi(client)
        self.leads = True
        for known in (lease, module):
            monkeypatch.setattr(known, "monotonic", server.monotonic)

    def __call__(self, release: str, *namespaces: str, pod: str = "pod") -> Scopes:
        release_prefix = f"aligning/{release}/"
        return Scopes(self._api, list(namespaces), release_prefix + pod, release_prefix, lambda: self.leads)

    async def live(self, seconds: int, *operators: Scopes) -> None:
        """Let time pass, and check that no two operators hold the same namespace."""
        for _ in range(seconds):
            self.server.seconds += 1
            if self.server.seconds % 3 == 0:
                for operator in operators:
                    await operator.refresh()
            for namespace in ("team", "other"):
                assert sum(operator.holds(namespace) for operator in operators) <= 1


def with_operators(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    with_api(lambda server, client: act(server, Operators(server, client, monkeypatch)))


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_second_operator_of_a_namespace_logs_the_first_and_leaves_it_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        first, second = operator("first", "team"), operator("second", "team", "other")
        await operator.live(60, first, second)
        assert first.holds("team") and not second.holds("team")
        assert second.holds("other"), "a namespace that no other operator watches stays held"

    with caplog.at_level(logging.INFO):
        with_operators(monkeypatch, act)
    assert logged(caplog) == [
        "namespace team is reconciled by this operator",
        "namespace other is reconciled by this operator",
        "namespace team is reconciled by aligning/first/pod; this operator leaves it alone",
    ]
    assert telemetry.SCOPES_HELD._value.get() == 1
    assert telemetry.SCOPES_LEFT_ALONE._value.get() == 1


def test_an_operator_of_one_namespace_takes_it_from_the_operator_of_all_and_returns_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        everywhere, narrow = operator("wide", pod="w"), operator("narrow", "team", pod="n")
        await operator.live(30, everywhere)
        assert everywhere.holds("team")
        await operator.live(30, everywhere, narrow)
        assert narrow.holds("team") and not everywhere.holds("team") and everywhere.holds("other")
        await narrow.release()
        await operator.live(3, everywhere)
        assert everywhere.holds("team")

    with caplog.at_level(logging.INFO):
        with_operators(monkeypatch, act)
    assert logged(caplog) == [
        "every namespace is reconciled by this operator",
        "namespace team is reconciled by this operator",
        "namespace team is reconciled by aligning/narrow/n; this operator leaves it alone",
        "namespace team is no longer reconciled by aligning/narrow/n",
    ]


def test_an_operator_that_dies_is_replaced_when_its_lease_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        everywhere, narrow = operator("wide"), operator("narrow", "team")
        await operator.live(30, everywhere, narrow)
        assert narrow.holds("team")
        await operator.live(20, everywhere)
        assert not everywhere.holds("team")
        await operator.live(15, everywhere)
        assert everywhere.holds("team")

    with_operators(monkeypatch, act)


def test_of_two_operators_of_all_namespaces_one_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        first, second = operator("first"), operator("second")
        await operator.live(30, first, second)
        assert first.holds("team") and not second.holds("team")
        await operator.live(40, second)
        assert second.holds("team")

    with_operators(monkeypatch, act)


def test_kube_system_can_be_watched_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        everywhere, narrow = operator("wide"), operator("narrow", "kube-system")
        await operator.live(30, everywhere, narrow)
        assert narrow.holds("kube-system") and everywhere.holds("team") and not everywhere.holds("kube-system")

    with_operators(monkeypatch, act)


@pytest.mark.parametrize("namespaces", [("team",), ()], ids=["one", "all"])
def test_the_next_pod_of_a_release_takes_over_without_a_pause(
    namespaces: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        await operator.live(30, operator("release", *namespaces, pod="old"))
        following = operator("release", *namespaces, pod="new")
        await following.refresh()
        assert following.holds("team")

    with_operators(monkeypatch, act)


def test_a_release_that_is_extended_to_all_namespaces_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        await operator.live(30, operator("release", "team", pod="old"))
        everywhere = operator("release", pod="new")
        await everywhere.refresh()
        assert everywhere.holds("team")

    with_operators(monkeypatch, act)


def test_nothing_is_held_without_leading(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        everywhere = operator("release")
        await everywhere.refresh()
        assert everywhere.holds("team")
        operator.leads = False
        assert not everywhere.holds("team")

    with_operators(monkeypatch, act)


def test_an_operator_that_cannot_list_the_others_pauses_and_logs_it_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        everywhere = operator("wide")
        await operator.live(6, everywhere)
        server.refusals[LIST] = (403, "leases are forbidden")
        await operator.live(15, everywhere)
        assert not everywhere.holds("team")
        server.refusals.clear()
        await operator.live(3, everywhere)
        assert everywhere.holds("team")

    with caplog.at_level(logging.WARNING):
        with_operators(monkeypatch, act)
    assert [text.partition(":")[2] for text in logged(caplog)] == [" 403 Forbidden: leases are forbidden"]


def test_a_scope_costs_one_write_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        held = operator("release", "team")
        await operator.live(12, held)
        server.requests.clear()
        await operator.live(120, held)
        assert len(server.requests) == len(server.writes()) == 10

    with_operators(monkeypatch, act)


def test_a_waiting_namespace_is_woken_once_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(server: ApiServer, operator: Operators) -> None:
        held = operator("release", "team")
        woken: list[str] = []
        held.wait("team")
        while not woken:
            await operator.live(1, held)
            held.wake(woken.append)
        assert held.holds("team")
        held.wake(woken.append)
        assert woken == ["team"]

    with_operators(monkeypatch, act)
