"""How fast one server is asked: how many requests at the same time and per minute, and when to wait."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from alignment_trainer.endpoints.pacing.rate import Rate, Taken
from alignment_trainer.endpoints.replies import Fault
from alignment_trainer.workspace.activity import advancing

CONCURRENCY = 64
_FIRST_CONCURRENCY = 4
_SHOWN_WAIT_SECONDS = 5
_SECONDS_BETWEEN_NEWS = 60
"""A server that fails now and then shows no line for each failure."""


class Patience(NamedTuple):
    """How long a server may fail, and how long the next request waits then."""

    failures: int = 10
    """So many failures in a row mean that the server is away."""
    harmless_failures: int = 2
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60
    longest_backoff_seconds: float = 8
    first_wait_when_busy: float = 1
    tries: int = 4
    """Of one question, while the server answers others."""
    tries_when_busy: int = 50

    def wait_seconds(self, failures: int) -> float:
        """Return how long a server is left alone after some failures in a row."""
        steps = failures - self.harmless_failures
        return min(self.longest_wait_seconds, self.first_wait_seconds * 2.0 ** (steps - 1)) if steps > 0 else 0.0

    def backoff_seconds(self, tries: int) -> float:
        """Return how long one question waits after some tries."""
        return min(self.longest_backoff_seconds, self.first_wait_seconds * 2.0 ** max(0, tries - 1))


PATIENCE = Patience()


class Limits(NamedTuple):
    """What a server allows."""

    concurrency: int = CONCURRENCY
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True)
class Turn:
    """The right to send one request."""

    time: float
    tokens: Taken


class Pace:
    """Gives out turns to ask one server."""

    def __init__(self, name: str, limits: Limits, patience: Patience = PATIENCE) -> None:
        self._name, self._most, self._patience = name, limits.concurrency, patience
        self._requests, self._tokens = Rate(limits.requests_per_minute), Rate(limits.tokens_per_minute)
        self._allowed, self._successes = min(_FIRST_CONCURRENCY, self._most), 0
        self._was_too_much: int | None = None
        self._in_flight = 0
        self._free, self._door = asyncio.Event(), asyncio.Lock()
        self._not_before = self._failed_time = self._no_news_before = float("-inf")
        self.failures = 0
        """Failures in a row; what was in flight together counts once."""
        self.doubted = asyncio.Lock()
        """Held by who asks whether the server works at all."""
        self._is_held = self._has_ended = False

    @property
    def is_failing(self) -> bool:
        """Return whether the server fails whatever it is asked."""
        return self.failures > self._patience.harmless_failures

    @property
    def is_away(self) -> bool:
        """Return whether the server has failed too often in a row."""
        return self.failures >= self._patience.failures

    @asynccontextmanager
    async def turn(self, tokens: int, goes_first: bool = False) -> AsyncIterator[Turn]:
        """Wait until another request may be sent, and hold its place until it has ended."""
        turn = await (self._first(tokens) if goes_first else self._queued(tokens))
        try:
            yield turn
        finally:
            self._in_flight -= 1
            self._free.set()

    async def _queued(self, tokens: int) -> Turn:
        # The first in the queue waits at the door; the others wait behind it, in their order.
        async with self._door:
            return await self._next(tokens, goes_first=False)

    async def _first(self, tokens: int) -> Turn:
        self._is_held = True
        try:
            return await self._next(tokens, goes_first=True)
        finally:
            self._is_held = False
            self._free.set()

    async def _next(self, tokens: int, goes_first: bool) -> Turn:
        while not self._has_ended:
            now = _now()
            ready = max(self._not_before, self._requests.ready(), self._tokens.ready())
            if self._in_flight >= self._allowed or (self._is_held and not goes_first):
                self._free.clear()
                await self._free.wait()
            elif ready > now:
                await self._wait(ready - now)
            else:
                break
        self._in_flight += 1
        self._requests.take(_now(), 1)
        return Turn(_now(), self._tokens.take(_now(), tokens))

    async def _wait(self, seconds: float) -> None:
        if seconds < _SHOWN_WAIT_SECONDS:
            await asyncio.sleep(seconds)
            return
        with advancing(f"waiting for {self._name}", round(seconds), "seconds") as advance:
            end = _now() + seconds
            while (left := end - _now()) > 0 and not self._has_ended:
                await asyncio.sleep(min(1.0, left))
                advance(1)

    def end(self) -> None:
        """End all waits, since nothing more will be sent."""
        self._has_ended = True
        self._free.set()

    def used(self, turn: Turn, tokens: int) -> None:
        """Take note of the tokens that a request has really used."""
        self._tokens.correct(turn.tokens, tokens)

    def works(self) -> None:
        """Take note of an answer: the server lives, and is given more at the same time."""
        self.failures = 0
        self._successes += 1
        if self._successes >= self._allowed:
            self._successes = 0
            self._allowed = min(self._most, self._more())
            self._free.set()

    def _more(self) -> int:
        """Return how many requests at the same time to try next: halfway back to what was once too much, then one more."""
        if self._was_too_much is None:
            return self._allowed * 2
        return self._allowed + max(1, (self._was_too_much - self._allowed) // 2)

    def failed(self, turn: Turn, fault: Fault) -> None:
        """Take note of a failure: all requests wait for as long as the server asks, or longer with each failure in a row."""
        now, is_busy = _now(), fault.kind == "Busy"
        if turn.time >= self._failed_time:
            self._failed_time = now
            self.failures += 1
            # While it stays busy, all requests wait longer and longer instead.
            if self.is_failing if not is_busy else self.failures == 1:
                self._was_too_much, self._successes = self._allowed, 0
                self._allowed = max(1, self._allowed // 2)
        asked = fault.wait_seconds
        if asked is None:
            asked = self._patience.first_wait_when_busy if is_busy else 0.0
        seconds = max(asked, self._patience.wait_seconds(self.failures))
        self._pause(now, seconds, fault)

    def _pause(self, now: float, seconds: float, fault: Fault) -> None:
        if seconds >= _SHOWN_WAIT_SECONDS and now >= self._not_before:
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            print(f"{self._name} {fault.detail}; the next request at {until:%H:%M:%S} UTC", file=sys.stderr, flush=True)
        elif fault.kind == "Down" and self.failures == 1 and now >= self._no_news_before:
            self._no_news_before = now + _SECONDS_BETWEEN_NEWS
            print(
                f"{self._name} {fault.detail}; it is asked again, after longer and longer waits while it fails",
                file=sys.stderr,
                flush=True,
            )
        self._not_before = max(self._not_before, now + seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
