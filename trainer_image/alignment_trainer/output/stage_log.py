"""The log of a stage on the workspace volume: a copy of what its first rank and its supervisor print, which delays neither."""

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from alignment_api.names import LOG_FILE, OLDER_LOG_FILE

_MOST_BYTES = 4 << 20
"""When the log is this long, a new one begins; the older one is kept until then."""

PIECE_BYTES = 16 << 10
_MOST_WAITING = 1024
"""Pieces of at most about 32 kB each that wait for a slow volume; what comes when so many wait is dropped."""

END_SECONDS = 2.0
"""How long the end of an attempt waits for the volume."""


class StageLog:
    """Takes copies at any time, from any thread and in signal handlers, and writes them in a thread of its own.

    Only that thread touches the volume, so one that hangs or is full stops nothing else.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._lost = 0
        self._counting = threading.RLock()
        self._writer: threading.Thread | None = None
        self._has_ended = False
        self._streams: list[CopiedLines] = []

    def stream(self) -> "CopiedLines":
        """Return what takes the copy of one more stream."""
        self._streams.append(CopiedLines(self))
        return self._streams[-1]

    def copy(self, data: bytes) -> None:
        """Take a copy of whole lines; if too much waits, they are dropped and counted."""
        if self._has_ended or self.is_of_another_process:
            return
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put(data)
        else:
            self._lose(data)

    @property
    def is_of_another_process(self) -> bool:
        """Return whether this is a forked worker, which has the queue but not its thread, and may have its locks locked."""
        return os.getpid() != self._process

    def write_to(self, stage: Path, title: str) -> None:
        """Begin to write into a stage's folder, with what has been copied so far; do nothing if it has begun."""
        if self._writer is None:
            header = f"=== {title}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ===\n"
            self._writer = threading.Thread(target=self._write, args=(stage, header.encode()), daemon=True, name="log")
            self._writer.start()

    def end(self, line: str = "") -> None:
        """Write a last line, and wait for the volume for a limited time; later copies are ignored."""
        if not self._has_ended:
            for stream in self._streams:
                stream.end()
            self.copy(line.encode("utf-8", "replace"))
            self._has_ended = True
            self._waiting.put(None)
            if self._writer:
                self._writer.join(END_SECONDS)

    def _write(self, stage: Path, header: bytes) -> None:
        file = _File(stage)
        data: bytes | None = header
        while data is not None:
            with self._counting:
                lost, self._lost = self._lost, 0
            missing = f"[{lost} lines are missing here: the volume was full or too slow]\n".encode() if lost else b""
            try:
                file.append(missing, data)
            except OSError:
                self._lose(data, lost)
            data = self._waiting.get()
        file.close()

    def _lose(self, data: bytes, before: int = 0) -> None:
        with self._counting:
            self._lost += before + data.count(b"\n")


class CopiedLines:
    """Copies one stream line by line, because the lines of several streams come together in the log."""

    def __init__(self, log: StageLog) -> None:
        self._log = log
        self._begun = b""
        self._lock = threading.RLock()

    def copy(self, data: bytes) -> None:
        """Take a copy of what the stream has printed; a line that has only begun waits for its end, unless it is long."""
        if self._log.is_of_another_process:
            return
        with self._lock:
            lines, end, self._begun = (self._begun + data).rpartition(b"\n")
            if len(self._begun) > PIECE_BYTES:
                lines, end, self._begun = lines + end, self._begun, b""
        if lines or end:
            self._log.copy(lines + end)

    def end(self) -> None:
        """End the line that has begun."""
        if self._begun:
            self.copy(b"\n")


class _File:
    """The newest file of the log and the one before it."""

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._descriptor: int | None = None
        self._size = 0
        self._is_torn = False
        """Whether the last write ended within a line."""

    def append(self, note: bytes, data: bytes) -> None:
        """Write a note on a line of its own, and data."""
        try:
            if self._size >= _MOST_BYTES:
                self._begin_anew()
            if note:
                self._write_all(b"\n" + note if self._is_torn else note)
            self._write_all(data)
        except OSError:
            # The next piece opens it again: the folder may have been replaced.
            self.close()
            raise

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor, self._size = self._descriptor, None, 0
            with suppress(OSError):
                os.close(descriptor)

    def _begin_anew(self) -> None:
        self.close()
        (self._stage / LOG_FILE).replace(self._stage / OLDER_LOG_FILE)
        self._is_torn = False

    def _write_all(self, data: bytes) -> None:
        if self._descriptor is None:
            self._open()
        assert self._descriptor is not None
        while data:
            # A volume that is almost full takes a part.
            taken = os.write(self._descriptor, data)
            self._size += taken
            self._is_torn = data[taken - 1 : taken] != b"\n"
            data = data[taken:]

    def _open(self) -> None:
        self._stage.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._stage / LOG_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._size = os.fstat(self._descriptor).st_size


_current: StageLog | None = None


def begin() -> StageLog:
    """Return the log of this process's attempt, to which `copy` goes from now on."""
    global _current
    _current = StageLog()
    return _current


def copy(data: bytes) -> None:
    """Give the log of this process, if it has one, a copy of what is printed without Python's streams."""
    if _current:
        _current.copy(data)


def end() -> None:
    """End the log of this process, if it has one that goes on."""
    if _current:
        _current.end()


def log_state(stage: Path) -> tuple[int, int] | None:
    """Return what changes whenever the log does: its time and its size; None if there is no log."""
    try:
        found = (stage / LOG_FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def log_files(stage: Path) -> list[Path]:
    """Return the files of the log, the older first."""
    return [path for name in (OLDER_LOG_FILE, LOG_FILE) if (path := stage / name).exists()]
