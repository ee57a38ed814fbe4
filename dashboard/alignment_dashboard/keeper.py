"""Keeps the newest value of whatever is read slowly, for all visitors, and reads it again in the background."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FIRST_SECONDS = 10.0
"""How long a visitor waits for a value that was never read."""

LATE_SECONDS, LATE_WAIT_SECONDS = 10.0, 1.0
"""A value that was not asked for so long may say something that is long over, so a visitor waits a moment for a newer one.

So does a page that asks only every 15 seconds: without waiting, it would show what it has read 15 seconds later.
"""

LONGEST_PAUSE_SECONDS = 30.0
"""The longest pause between two tries to read a source that fails; each failure doubles the pause."""

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """A source cannot be read now; the message is a sentence for the page."""


class Known(NamedTuple, Generic[Value]):
    """The newest value that could be read, why there is none newer, and when it was read."""

    value: Value
    problem: str | None
    as_of: datetime


@dataclass
class _Entry(Generic[Value]):
    value: Value
    as_of: datetime | None = None
    problem: str | None = None
    first_asked_at: float = field(default_factory=time.monotonic)
    asked_at: float = field(default_factory=time.monotonic)
    due_at: float = 0.0
    failures: int = 0
    weight: int = 1
    reading: threading.Event | None = field(default=None, repr=False)


class Keeper(Generic[Key, Value]):
    """Reads values by key: each key by one thread at a time, and not more threads at once than are allowed.

    Streamlit's caches refresh in the background as well, but they give up the last good value when a source fails, let visitors
    wait when a value is twice as old as its limit, and do not hand the earlier value to the function that reads a newer one.
    """

    def __init__(
        self,
        read: Callable[[Key, Value], Value],
        empty: Value,
        pause: Callable[[Value], float] = lambda _: 2.0,
        weight: Callable[[Value], int] = lambda _: 1,
        most: int = 200,
        at_once: int = 4,
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        self._read, self._empty, self._pause, self._weight, self._most = read, empty, pause, weight, most
        self._first_seconds, self._turns = first_seconds, threading.Semaphore(at_once)
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()

    def get(self, key: Key, seconds: float | None = None) -> Known[Value]:
        """Return what is known; wait so many seconds for what is being read, by default only if nothing new is known."""
        now = time.monotonic()
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(self._empty))
            self._entries.move_to_end(key)
            wait = self._patience(entry, now) if seconds is None else seconds
            entry.asked_at = now
            if entry.reading is None and now >= entry.due_at:
                entry.reading = threading.Event()
                threading.Thread(target=self._refresh, args=(key, entry, entry.reading), daemon=True).start()
            reading = entry.reading
        if reading and wait:
            reading.wait(wait)
        with self._lock:
            return self._known(entry)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _patience(self, entry: _Entry[Value], now: float) -> float:
        if entry.as_of is None:
            return 0.0 if entry.problem else max(0.0, entry.first_asked_at + self._first_seconds - now)
        return LATE_WAIT_SECONDS if now - entry.asked_at > LATE_SECONDS else 0.0

    def _known(self, entry: _Entry[Value]) -> Known[Value]:
        waits = "The answer takes long; this page shows it when it comes." if entry.as_of is None else None
        return Known(entry.value, entry.problem or waits, entry.as_of or datetime.now(UTC))

    def _refresh(self, key: Key, entry: _Entry[Value], reading: threading.Event) -> None:
        try:
            with self._turns:
                self._note(entry, self._read(key, entry.value))
        except Unavailable as error:
            self._fail(entry, str(error))
        except Exception as error:  # if this was not noted, the page would show an old value without a warning
            logger.exception("reading %s failed", key)
            self._fail(entry, f"Reading failed with an unexpected error ({error!r}); the dashboard's log has the traceback.")
        finally:
            entry.reading = None
            reading.set()
            self._forget_rest()

    def _note(self, entry: _Entry[Value], value: Value) -> None:
        with self._lock:
            entry.value, entry.as_of, entry.problem, entry.failures = value, datetime.now(UTC), None, 0
            entry.weight, entry.due_at = self._weight(value), time.monotonic() + self._pause(value)

    def _fail(self, entry: _Entry[Value], problem: str) -> None:
        with self._lock:
            pause = min(self._pause(entry.value) * 2**entry.failures, LONGEST_PAUSE_SECONDS)
            entry.problem, entry.failures, entry.due_at = problem, entry.failures + 1, time.monotonic() + pause

    def _forget_rest(self) -> None:
        """Forget the keys that were not asked for the longest time, if all together weigh too much."""
        with self._lock:
            weight = sum(entry.weight for entry in self._entries.values())
            while weight > self._most and len(self._entries) > 1:
                _, oldest = self._entries.popitem(last=False)
                weight -= oldest.weight
