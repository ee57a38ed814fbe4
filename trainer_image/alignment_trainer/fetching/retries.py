"""How all that lies elsewhere is fetched, from the Hub and from buckets: what may pass is tried again, what remains is said."""

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
    """How often and how long something is tried."""

    tries: int = 7
    first_wait_seconds: float = 2
    longest_wait_seconds: float = 60
    longest_retry_after_seconds: float = 600
    """No server is left alone for longer, whatever it asks."""

    def wait_seconds(self, tries: int, fault: Fault) -> float:
        """Say how long to wait after so many tries."""
        own = min(self.first_wait_seconds * 2.0 ** (tries - 1), self.longest_wait_seconds)
        return (
            own
            if fault.retry_after_seconds is None
            else max(own, min(fault.retry_after_seconds, self.longest_retry_after_seconds))
        )


RETRY_POLICY = RetryPolicy()


class RetriesExhausted(BaseException):
    """Carries a failure through libraries that answer any Exception with whatever lies in their caches."""

    def __init__(self, failure: Unreachable) -> None:
        super().__init__(str(failure))
        self.failure = failure


class Backoff:
    """Keeps all threads from a server that wants to be left alone, and tells of each pause once."""

    def __init__(self, what: str, patience: RetryPolicy | None = None) -> None:
        self._what = what
        self._patience = patience or RETRY_POLICY
        self._lock = threading.Lock()
        self._until = 0.0

    def pause(self, tries: int, fault: Fault) -> None:
        """Wait until something that was tried so often may be tried again; after the last try it is Unreachable."""
        if tries >= self._patience.tries:
            raise Unreachable(
                f"{self._what} cannot be downloaded now ({fault.said}; {tries} tries); "
                f"check the network and the endpoint; the stage tries again later"
            )
        seconds = self._patience.wait_seconds(tries, fault)
        with self._lock:
            is_first = time.monotonic() >= self._until
            if is_first or fault.retry_after_seconds is not None:
                self._until = max(self._until, time.monotonic() + seconds)
            until = self._until
        if is_first:
            when = datetime.now(UTC) + timedelta(seconds=seconds)
            of = f"try {tries} of {self._patience.tries}"
            print(f"{self._what}: {fault.said} ({of}); next try at {when:%H:%M:%S} UTC", file=sys.stderr, flush=True)
        _wait(until)


def with_retries(what: str, fetch: Callable[[], Result]) -> Result:
    """Fetch something: again where what went wrong may pass; Unreachable is what remains."""
    pauses, tries = Backoff(what), 0
    while True:
        tries += 1
        try:
            return fetch()
        except RetriesExhausted as given_up:
            raise given_up.failure from given_up
        except Exception as error:
            fault = transient_fault(error)
            if fault is None:
                raise
            pauses.pause(tries, fault)


def _wait(until: float) -> None:
    """Wait, and count the seconds: waiting as long as a server asks is no standstill."""
    left = until - time.monotonic()
    with advancing("waiting for a server", max(1, round(left)), "seconds") as advance:
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(1.0, left))
            advance(1)
