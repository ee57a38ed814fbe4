"""Copies what the supervisor and the first rank print into the log of the stage, without changing what they print.

The supervisor's streams write as before, and then hand a copy to the log. The first rank prints into named pipes that threads
of the supervisor read: only so is all of it copied, also what NCCL prints before it aborts the process. The pipes cannot
outlive their reader: a killed supervisor takes the ranks along, as before; and what a killed rank has printed stays in its
pipe. Other ranks and the launcher keep the pod's own output, since the first rank opens the pipes by name and nobody inherits
them.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from alignment_trainer.output.stage_log import PIECE_BYTES, StageLog

_OUT, _ERROR = 1, 2
DRAIN_SECONDS = 1.0
"""How long the end of training waits for both pipes together."""


class CopiedStream:
    """Writes to a stream, and copies what it writes into the log."""

    def __init__(self, stream: Any, log: StageLog) -> None:
        self._stream = stream
        self._copied = log.stream()

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return int(self._stream.write(text))
        finally:
            self._copied.copy(text.encode("utf-8", "replace"))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def copy_own_output(log: StageLog) -> None:
    """Copy what this process prints from now on."""
    sys.stdout, sys.stderr = CopiedStream(sys.stdout, log), CopiedStream(sys.stderr, log)


class RankPipes:
    """The pipes of the first rank, and the threads that copy from them to this process's own output and into the log."""

    def __init__(self, folder: Path, log: StageLog) -> None:
        self._log = log
        self._readers: list[threading.Thread] = []
        self._writing: list[int] = []
        # Where both streams go to one file, one pipe keeps their lines in order.
        targets = (_OUT,) if os.path.sameopenfile(_OUT, _ERROR) else (_OUT, _ERROR)
        for target in targets:
            self._open(_pipe(folder, target), target)

    def drain(self) -> None:
        """Wait until what the rank has printed is copied, or for a short time if a process that it left keeps a pipe open."""
        while self._writing:
            os.close(self._writing.pop())
        last = time.monotonic() + DRAIN_SECONDS
        for reader in self._readers:
            reader.join(max(0.0, last - time.monotonic()))

    def _open(self, path: Path, target: int) -> None:
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # With a writer of our own, the pipe has no end before the rank opens it.
        self._writing.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        os.set_blocking(reading, True)
        reader = threading.Thread(target=self._copy, args=(reading, target), daemon=True, name=path.name)
        self._readers.append(reader)
        reader.start()

    def _copy(self, reading: int, target: int) -> None:
        copied = self._log.stream()
        while data := os.read(reading, PIECE_BYTES):
            copied.copy(data)
            # This output may be on a volume that is full; the rank must not wait for it.
            with suppress(OSError):
                while data:
                    data = data[os.write(target, data) :]
        copied.end()
        os.close(reading)


def print_into_pipes(folder: Path) -> None:
    """Print into the supervisor's pipes from now on, in the first rank; without them, nothing changes."""
    for target in (_OUT, _ERROR):
        own = _pipe(folder, target)
        # Without a reader, opening fails at once.
        with suppress(OSError):
            writing = os.open(own if own.exists() else _pipe(folder, _OUT), os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(writing, True)
            os.dup2(writing, target)
            os.close(writing)


def _pipe(folder: Path, target: int) -> Path:
    return folder / f"output-{target}"
