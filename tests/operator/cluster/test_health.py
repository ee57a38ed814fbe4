"""A waiting replica is alive; a leading one must reach the API server; a replica is ready if it leads or could."""

import asyncio

import pytest
from aiohttp import ClientSession
from alignment_operator.cluster import health as module
from alignment_operator.cluster.health import Health


def test_a_replica_that_waits_for_the_lease_stays_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Health()
    monkeypatch.setattr(module, "_LONGEST_SILENCE_SECONDS", -1)
    assert waiting.alive


def test_a_leader_without_answers_of_the_api_server_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    leading = Health()
    leading.note_answer()
    assert leading.alive
    monkeypatch.setattr(module, "_LONGEST_SILENCE_SECONDS", -1)
    assert not leading.alive


def test_a_replica_that_could_not_lead_is_not_ready_and_says_why() -> None:
    async def ask(health: Health) -> tuple[int, str]:
        await health.serve(0)
        # IPv4 and IPv6 get separate ports.
        port = next(address[1] for address in health.addresses if address[0] == "0.0.0.0")
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status, await answer.text()

    waiting, starting = Health(), Health()
    waiting.not_ready_reason = lambda: None
    assert asyncio.run(ask(waiting)) == (200, "ok")
    assert asyncio.run(ask(starting)) == (503, "starting")
    starting.not_ready_reason = lambda: "403 Forbidden: leases are forbidden"
    assert asyncio.run(ask(starting)) == (503, "403 Forbidden: leases are forbidden")
