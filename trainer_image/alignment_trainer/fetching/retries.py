"""The retry policy of all downloads, from the Hub and from buckets."""

import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from alignment_trainer.failures import Unreachable
from alignment_trainer.fetching.network_faults import Fault, transient_fault
from alignment_trainer.workspace.activity import advancing

Result = TypeVar("Result")


class RetryPolicy(NamedTuple):
    """How often a download is tried, and how long to wait between two tries."""

    tries: int = 7
    first_wait_seconds: float = 2
    longest_wait_seconds: float = 60
    longest_retry_after_seconds: float = 600
    """The longest wait, even if the server asks for more."""

    def wait_seconds(self, tries: int, fault: Fault) -> float:
        """Return how long to wait after this many tries."""
        own = min(self.first_wait_seconds * 2.0 ** (tries - 1), self.longest_wait_seconds)
        if fault.retry_after_seconds is None:
            return own
        return max(own, min(fault.retry_after_seconds, self.longest_retry_after_seconds))


RETRY_POLICY = RetryPolicy()


class RetriesExhausted(BaseException):
    """Carries a failure through libraries that would otherwise answer an Exception from their cache."""

    def __init__(self, failure: Unreachable) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Backoff:
    """Makes all threads that use the same server wait, and reports each wait once."""

    def __init__(self, what: str, policy: RetryPolicy | None = None, done: str = "downloaded") -> None:
        self._what = what
        self._done = done
        self._policy = policy or RETRY_POLICY
        self._lock = threading.Lock()
        self._until = 0.0

    def pause(self, tries: int, fault: Fault) -> None:
        """Wait until the next try; raise Unreachable after the last one."""
        if tries >= self._policy.tries:
            raise Unreachable(
                f"{self._what} cannot be {self._done} now ({fault.text}; {tries} tries); "
                f"check the network and the endpoint; the stage tries again later"
            )
        seconds = self._policy.wait_seconds(tries, fault)
        with self._lock:
            is_first = time.monotonic() >= self._until
            if is_first or fault.retry_after_seconds is not None:
                self._until = max(self._until, time.monotonic() + seconds)
            until = self._until
        if is_first:
            when = datetime.now(UTC) + timedelta(seconds=seconds)
            count = f"try {tries} of {self._policy.tries}"
            print(f"{self._what}: {fault.text} ({count}); next try at {when:%H:%M:%S} UTC", file=sys.stderr, flush=True)
        _wait(until)


def with_retries(what: str, fetch: Callable[[], Result], done: str = "downloaded") -> Result:
    """Call `fetch`, and retry it after transient faults; raise Unreachable, with what could not be done, if all tries fail."""
    backoff, tries = Backoff(what, done=done), 0
    while True:
        tries += 1
        try:
            return fetch()
        except RetriesExhausted as exhausted:
            raise exhausted.failure from exhausted
        except Exception as error:
            fault = transient_fault(error)
            if fault is None:
                raise
            backoff.pause(tries, fault)


def _wait(until: float) -> None:
    """Wait, and report the seconds as progress, so that the wait does not count as a stall."""
    left = until - time.monotonic()
    with advancing("waiting for a server", max(1, round(left)), "seconds") as advance:
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(1.0, left))
            advance(1)
