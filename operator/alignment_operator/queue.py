"""The queue of jobs to reconcile: every event adds a job's key, and each job is reconciled by one worker at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kubernetes.aio.client import ApiException

from alignment_operator.deciding.observation import Key
from alignment_operator.deciding.untrusted import one_line

_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Queue:
    """Waiting keys, each once; a key that is added while its job is being reconciled is queued again afterwards."""

    def __init__(self, work: Callable[[Key], Awaitable[float | None]], workers: int = 16) -> None:
        self._work = work
        self._workers = workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Queue a job."""
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running)

    async def run(self) -> None:
        """Reconcile jobs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._running.add(key)
            delay = await self._reconcile(key)
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            elif delay is not None:
                self._timers[key] = asyncio.get_running_loop().call_later(max(delay, 0.0), self.add, key)

    async def _reconcile(self, key: Key) -> float | None:
        # An error of one job is retried later and never stops the others.
        try:
            delay = await self._work(key)
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            backoff = min(_FIRST_BACKOFF_SECONDS * 2.0 ** (failures - 1), _LONGEST_BACKOFF_SECONDS)
            # A refusal by the API server needs no traceback: its message gives the reason.
            unexpected = failures == 5 and not isinstance(error, ApiException)
            logger.warning("%s/%s: %s; retrying in %.1f s", *key, one_line(error), backoff, exc_info=unexpected)
            return backoff
        self._failures.pop(key, None)
        return delay
