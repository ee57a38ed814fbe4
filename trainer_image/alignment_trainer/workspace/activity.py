"""What a stage does beside training steps and how far it is, so that nobody takes a long quiet phase for a standstill."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from alignment_api.files import write_whole
from alignment_api.heartbeat import Activity, told
from alignment_api.names import ACTIVITY_FILE

from alignment_trainer.workspace.mapped_files import bytes_read

Item = TypeVar("Item")
Advance = Callable[[int], None]

_WRITTEN_SECONDS = 2.0
_TOLD_SECONDS = 15.0


@dataclass(eq=False)
class _Phase:
    what: str
    total: int | None
    unit: str
    measure: Callable[[], int] | None = None
    done: int = 0


class _Teller:
    """Tells the innermost phase of one process: a file of the stage for programs, a line on stderr for people."""

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
        # What an earlier attempt did is over.
        self._try(lambda: self._file.unlink(missing_ok=True))

    def enter(self, phase: _Phase) -> None:
        with self._lock:
            # A phase that is tried again and again is no progress.
            if phase.what != self._last.what:
                self._advanced_time = datetime.now(UTC)
            self._last = phase
            self._phases.append(phase)
            if len(self._phases) == 1:
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._tell, args=(self._ended,), daemon=True, name="activity")
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

    def _tell(self, ended: threading.Event) -> None:
        seconds = 0.0
        while not ended.wait(_WRITTEN_SECONDS):
            seconds += _WRITTEN_SECONDS
            self._measure()
            activity = self._activity()
            self._write(activity)
            if seconds >= _TOLD_SECONDS:
                seconds = 0.0
                _say(told(activity))
        if self._written:
            self._written = None
            self._try(lambda: self._file.unlink(missing_ok=True))

    def _measure(self) -> None:
        with self._lock:
            phase = self._phases[-1] if self._phases else None
        if phase and phase.measure:
            self.advance(phase, phase.measure() - phase.done)

    def _activity(self) -> Activity:
        with self._lock:
            phase = self._phases[-1] if self._phases else self._last
            # What grows while it is read may come to more than was expected.
            done = phase.done if phase.total is None else min(phase.done, phase.total)
            return Activity(what=phase.what, done=done, total=phase.total, unit=phase.unit, time=self._advanced_time)

    def _write(self, activity: Activity) -> None:
        if activity != self._written and self._try(lambda: self._replace(activity)):
            self._written = activity

    def _replace(self, activity: Activity) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Written anew every few seconds: waiting for the disk each time would cost more than the file is worth.
        write_whole(self._file, activity.model_dump_json(by_alias=True, exclude_none=True), survives_power_cut=False)

    def _try(self, change: Callable[[], None]) -> bool:
        try:
            change()
        except OSError as error:
            # A sign of life must not end what it is a sign of.
            if not self._is_broken:
                _say(f"{self._file} cannot be written ({error.strerror}); the stage continues, but its progress is not shown")
            self._is_broken = True
            return False
        self._is_broken = False
        return True


_teller: _Teller | None = None


def begin(stage_folder: Path) -> None:
    """Let this process tell what it does; only the first process of the first node should."""
    global _teller
    _teller = _Teller(stage_folder)


@contextmanager
def advancing(what: str, total: int | None, unit: str) -> Iterator[Advance]:
    """Say that something is done, such as: hashing weights; call what is given with each count of it that was done since."""
    with _phase(_Phase(what, total, unit)) as advance:
        yield advance


def counted(items: Iterable[Item], what: str, total: int | None, unit: str) -> Iterator[Item]:
    """Give the items on, and count each once whoever takes it comes back for the next."""
    with advancing(what, total, unit) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def measured(what: str, total: int | None, unit: str, measure: Callable[[], int]) -> Iterator[None]:
    """Say that something is done by others, who are asked from time to time how far they are."""
    with _phase(_Phase(what, total, unit, measure)):
        yield


@contextmanager
def reading(what: str, files: Iterable[Path]) -> Iterator[None]:
    """Say how much of some files a library has read that tells nothing itself."""
    paths = [path.resolve() for path in files]
    with measured(what, sum(path.stat().st_size for path in paths), "bytes", bytes_read(paths)):
        yield


@contextmanager
def _phase(phase: _Phase) -> Iterator[Advance]:
    teller = _teller
    # A process that was forked to work tells nothing: its parent counts what it did.
    if teller is None or teller.process != os.getpid():
        yield lambda count: None
        return
    teller.enter(phase)
    try:
        yield lambda count: teller.advance(phase, count)
    finally:
        teller.leave(phase)


def _say(line: str) -> None:
    # Past Python's buffers: their locks would stay locked in a process that is forked at this moment.
    os.write(2, f"{line}\n".encode())
