"""Progress of phases that train no steps, such as hashing weights, so that a long phase does not look like a stall."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from alignment_api.files import write_whole
from alignment_api.heartbeat import Activity, activity_text
from alignment_api.names import ACTIVITY_FILE

from alignment_trainer.output import stage_log
from alignment_trainer.workspace.mapped_files import bytes_read

Item = TypeVar("Item")
Advance = Callable[[int], None]

_WRITE_SECONDS = 2.0
_PRINT_SECONDS = 15.0


@dataclass(eq=False)
class _Phase:
    what: str
    total: int | None
    unit: str
    measure: Callable[[], int] | None = None
    done: int = 0
    is_counted: bool = True


class _Reporter:
    """Reports the innermost phase of one process: in a file of the stage for programs, and on stderr for people."""

    def __init__(self, stage: Path) -> None:
        self.process = os.getpid()
        self._file = stage / ACTIVITY_FILE
        self._lock = threading.Lock()
        self._phases: list[_Phase] = []
        self._last = _Phase("", None, "")
        self._advanced_time = datetime.now(UTC)
        self._written: Activity | None = None
        self._is_broken = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        # The file may be left over from an earlier attempt.
        self._try_to_write(lambda: self._file.unlink(missing_ok=True))

    def enter(self, phase: _Phase) -> None:
        with self._lock:
            # Repeating the same phase is no progress.
            if phase.what != self._last.what:
                self._advanced_time = datetime.now(UTC)
            self._last = phase
            self._phases.append(phase)
            if len(self._phases) == 1:
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._report, args=(self._ended,), daemon=True, name="activity")
                self._thread.start()

    def advance(self, phase: _Phase, count: int) -> None:
        if count > 0:
            with self._lock:
                phase.done += count
                self._advanced_time = datetime.now(UTC)

    def leave(self, phase: _Phase) -> None:
        with self._lock:
            self._phases.remove(phase)
            ended, thread = self._ended, None if self._phases else self._thread
        if thread:
            ended.set()
            thread.join()

    def hand_over(self, what: str) -> None:
        activity = Activity(what=what, time=datetime.now(UTC))
        self._try_to_write(lambda: self._replace(activity))

    def _report(self, ended: threading.Event) -> None:
        seconds = 0.0
        while not ended.wait(_WRITE_SECONDS):
            seconds += _WRITE_SECONDS
            self._measure()
            activity = self._activity()
            self._write(activity)
            if seconds >= _PRINT_SECONDS:
                seconds = 0.0
                _print(activity_text(activity))
        if self._written:
            self._written = None
            self._try_to_write(lambda: self._file.unlink(missing_ok=True))

    def _measure(self) -> None:
        with self._lock:
            phase = self._phases[-1] if self._phases else None
        if phase and phase.measure:
            self.advance(phase, phase.measure() - phase.done)

    def _activity(self) -> Activity:
        with self._lock:
            phase = self._phases[-1] if self._phases else self._last
            # A file that grows while it is read gives more bytes than expected.
            done = phase.done if phase.total is None else min(phase.done, phase.total)
            known = done if phase.is_counted else None
            return Activity(what=phase.what, done=known, total=phase.total, unit=phase.unit, time=self._advanced_time)

    def _write(self, activity: Activity) -> None:
        if activity != self._written and self._try_to_write(lambda: self._replace(activity)):
            self._written = activity

    def _replace(self, activity: Activity) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # No flush to the disk: the file is written again every few seconds.
        write_whole(self._file, activity.model_dump_json(by_alias=True, exclude_none=True), survives_power_cut=False)

    def _try_to_write(self, change: Callable[[], None]) -> bool:
        try:
            change()
        except OSError as error:
            # A progress report must never end the stage.
            if not self._is_broken:
                _print(f"{self._file} cannot be written ({error.strerror}); the stage continues, but its progress is not shown")
            self._is_broken = True
            return False
        self._is_broken = False
        return True


_reporter: _Reporter | None = None


def begin(stage_folder: Path) -> None:
    """Start reporting from this process; call it only in the first process of the first node."""
    global _reporter
    _reporter = _Reporter(stage_folder)


def hand_over(what: str) -> None:
    """Report a phase that ends when another process begins to report, such as "starting the processes"."""
    if _reporter:
        _reporter.hand_over(what)


@contextmanager
def advancing(what: str, total: int | None, unit: str) -> Iterator[Advance]:
    """Report a phase such as "hashing weights"; the caller passes each newly done count to the function that this yields."""
    with _phase(_Phase(what, total, unit)) as advance:
        yield advance


@contextmanager
def working(what: str) -> Iterator[None]:
    """Report a phase in which nothing is counted, such as "loading libraries"."""
    with _phase(_Phase(what, None, "", is_counted=False)):
        yield


def counted(items: Iterable[Item], what: str, total: int | None, unit: str) -> Iterator[Item]:
    """Yield the items, and count each one when the consumer asks for the next."""
    with advancing(what, total, unit) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def measured(what: str, total: int | None, unit: str, measure: Callable[[], int]) -> Iterator[None]:
    """Report a phase whose progress `measure` returns; it is called every few seconds."""
    with _phase(_Phase(what, total, unit, measure)):
        yield


@contextmanager
def reading(what: str, files: Iterable[Path]) -> Iterator[None]:
    """Report how much of some files a library has read that reports no progress itself."""
    paths = [path.resolve() for path in files]
    with measured(what, sum(path.stat().st_size for path in paths), "bytes", bytes_read(paths)):
        yield


@contextmanager
def _phase(phase: _Phase) -> Iterator[Advance]:
    reporter = _reporter
    # A forked worker process reports nothing: its parent counts the work.
    if reporter is None or reporter.process != os.getpid():
        yield lambda count: None
        return
    reporter.enter(phase)
    try:
        yield lambda count: reporter.advance(phase, count)
    finally:
        reporter.leave(phase)


def _print(line: str) -> None:
    # Not through Python's buffers: a process that is forked at this moment would inherit their locks locked.
    data = f"{line}\n".encode()
    os.write(2, data)
    stage_log.copy(data)
