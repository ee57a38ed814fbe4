"""Each job is reconciled by one worker at a time; errors are retried and do not stop other jobs."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from alignment_operator import queue as module
from alignment_operator.deciding.observation import Key
from alignment_operator.queue import Queue

ONE, TWO = Key("team", "one"), Key("team", "two")


def run(work: Callable[[Key], Awaitable[float | None]], act: Callable[[Queue], Awaitable[None]]) -> None:
    """Run a queue's workers while a test uses it."""

    async def together() -> None:
        queue = Queue(work, workers=4)
        serving = asyncio.create_task(queue.run())
        await asyncio.wait_for(act(queue), timeout=60)
        serving.cancel()

    asyncio.run(together())


async def idle(queue: Queue) -> None:
    while len(queue):
        await asyncio.sleep(0)


def test_a_waiting_key_is_queued_once() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)

    async def act(queue: Queue) -> None:
        for key in (ONE, ONE, TWO, ONE):
            queue.add(key)
        await idle(queue)

    run(work, act)
    assert seen == [ONE, TWO]


def test_a_key_added_during_its_reconcile_is_reconciled_again_but_never_twice_at_once() -> None:
    at_work, most, rounds = 0, 0, 0
    gate = asyncio.Event()

    async def work(key: Key) -> None:
        nonlocal at_work, most, rounds
        at_work, rounds = at_work + 1, rounds + 1
        most = max(most, at_work)
        if rounds == 1:
            await gate.wait()
        at_work -= 1

    async def act(queue: Queue) -> None:
        queue.add(ONE)
        while rounds == 0:
            await asyncio.sleep(0)
        queue.add(ONE)
        queue.add(ONE)
        await asyncio.sleep(0)
        assert rounds == 1
        gate.set()
        await idle(queue)

    run(work, act)
    assert (most, rounds) == (1, 2)


def test_an_error_is_retried_and_other_jobs_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_BACKOFF_SECONDS", 0.01)
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)
        if key == ONE and seen.count(ONE) < 3:
            raise OSError("the API server is away")

    async def act(queue: Queue) -> None:
        queue.add(ONE)
        queue.add(TWO)
        while seen.count(ONE) < 3:
            await asyncio.sleep(0.001)

    run(work, act)
    assert (seen.count(ONE), seen.count(TWO)) == (3, 1)


def test_a_requested_delay_is_kept() -> None:
    seen: list[Key] = []

    async def work(key: Key) -> float | None:
        seen.append(key)
        return 0.01 if len(seen) == 1 else None

    async def act(queue: Queue) -> None:
        queue.add(ONE)
        while len(seen) < 2:
            await asyncio.sleep(0.001)

    run(work, act)
    assert seen == [ONE, ONE]
