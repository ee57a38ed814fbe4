"""Reports how many rows of all models and tasks are measured, every few seconds, while other code measures them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from accelerate import PartialState
from alignment_api import metrics
from alignment_api.run_config import RunConfig

from alignment_trainer.workspace.activity import measured
from alignment_trainer.workspace.journal import Journal

_SECONDS = 5.0
_RECENT = 24
"""Speed is measured over so many reports: two minutes."""


class _Moment(NamedTuple):
    seconds: float
    done: int


class Progress:
    """The progress of one attempt; only the first process reports it. A step is a row of one model in one task."""

    def __init__(self, config: RunConfig, total: int, kept: Callable[[], float]) -> None:
        self._journal = Journal(Path(config.paths.stage)) if PartialState().is_main_process else None
        self.total = total
        self._lock = threading.Lock()
        # What earlier attempts have measured in parts that are still to come, and what is measured in those before.
        self._kept, self._before = kept() if self._journal else 0.0, 0.0
        self._now: Callable[[], float] = float
        self._recent: deque[_Moment] = deque(maxlen=_RECENT)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Report until the block ends, at its begin and at its end; what an earlier attempt reported counts no more."""
        if self._journal is None:
            yield
            return
        self._report(self._journal)
        ended = threading.Event()
        thread = threading.Thread(target=self._repeat, args=(self._journal, ended), name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._report(self._journal)

    @contextmanager
    def part(self, what: str, rows: int, count: Callable[[], int], weight: float = 1.0) -> Iterator[None]:
        """Count the rows of one model in one task while the block measures them; with a weight, as so much of a row each."""
        if self._journal is None:
            yield
            return
        with self._lock:
            self._kept -= weight * min(rows, count())
            self._now = lambda: weight * min(rows, count())
        with measured(what, rows, "rows", count):
            yield
        # Not after a failure: then the rows that were written count.
        with self._lock:
            self._now = float
            self._before += weight * rows

    def skip(self, rows: int, weight: float = 1.0) -> None:
        """Count rows that an earlier attempt measured."""
        with self._lock:
            self._kept -= weight * rows
            self._before += weight * rows

    def finish(self, values: dict[str, float]) -> None:
        """Write the scores, at the last step."""
        if self._journal:
            self._append(self._journal, self.total, values, {metrics.SECONDS_LEFT: 0.0})
            self._journal.flush_to_disk()

    def _repeat(self, journal: Journal, ended: threading.Event) -> None:
        while not ended.wait(_SECONDS):
            self._report(journal)

    def _report(self, journal: Journal) -> None:
        with self._lock:
            done = int(self._before + self._now() + self._kept)
        self._recent.append(_Moment(time.monotonic(), done))
        self._append(journal, done, {}, self._left(done))

    def _append(self, journal: Journal, done: int, values: dict[str, float], left: dict[str, float]) -> None:
        progress = {metrics.TOTAL_STEPS: float(self.total), metrics.STEP: float(done), **left}
        journal.append(done, {metrics.ROWS_WRITTEN: float(done), **values}, progress)

    def _left(self, done: int) -> dict[str, float]:
        first, last = self._recent[0], self._recent[-1]
        if last.done == first.done:
            return {}
        return {metrics.SECONDS_LEFT: round((last.seconds - first.seconds) / (last.done - first.done) * (self.total - done), 1)}
