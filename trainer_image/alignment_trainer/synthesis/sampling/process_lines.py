"""Files of one folder on the volume to which several processes append lines beside each other, each to a file of its own."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Self

from alignment_api.files import without_torn_line

from alignment_trainer.failures import IncompleteAnswers

_PATIENCE_SECONDS = 90.0
"""Longer than NFS caches a folder's attributes: 60 seconds with the default mount options."""


class ProcessLines:
    """The files of one folder; a line is there whole or not at all."""

    def __init__(self, folder: Path, process: int, stage: str = "") -> None:
        """Name the file of a process; also of a stage, where several may write beside each other."""
        self.folder = folder
        self._own = folder / f"process-{process}{stage and f'.{stage}'}.jsonl"
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        without_torn_line(self._own)
        self._file = self._own.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def append_line(self, document: Mapping[str, Any]) -> None:
        """Write a line."""
        assert self._file is not None
        self._file.write(json.dumps(document).encode() + b"\n")
        self._file.flush()

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield what all processes of all attempts wrote."""
        return self.lines_after({})

    def lines_after(self, read: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Yield what was written since; `read` has for each file how many bytes of it are read, and is brought up to date."""
        for path in sorted(self.folder.glob("process-*.jsonl")):
            with path.open("rb") as file:
                file.seek(read.get(path.name, 0))
                # A line without an end was torn when its process was killed, or is being written.
                for line in takewhile(lambda line: line.endswith(b"\n"), file):
                    read[path.name] = read.get(path.name, 0) + len(line)
                    yield json.loads(line)

    def sizes(self) -> dict[str, int]:
        """Return the size of this process's file, as it sees it."""
        return {self._own.name: self._own.stat().st_size} if self._own.exists() else {}

    def await_sizes(self, seen: Sequence[Mapping[str, int]], patience: float | None = None) -> None:
        """Wait until this process sees what all processes wrote, or no longer believes that it will."""
        sizes = {name: size for one in seen for name, size in one.items()}
        _wait(
            lambda: all(self._size(name) >= size for name, size in sizes.items()),
            _PATIENCE_SECONDS if patience is None else patience,
        )

    def await_lines(
        self,
        seen: Sequence[Mapping[str, int]],
        wanted: Set[str],
        known: Callable[[], Set[str]],
        what: str,
        patience: float | None = None,
    ) -> None:
        """Wait until this process sees what all processes wrote, and refuse a volume on which that does not happen."""
        self.await_sizes(seen, patience)
        missing = wanted - known()
        if missing:
            raise IncompleteAnswers(
                f"{self.folder}: rank 0 does not see what all processes wrote ({len(missing)} of {len(wanted)} {what} are "
                f"missing); mount the same ReadWriteMany workspace volume into all pods"
            )

    def _size(self, name: str) -> int:
        path = self.folder / name
        return path.stat().st_size if path.exists() else 0


def _wait(is_there: Callable[[], bool], patience: float) -> None:
    deadline = time.monotonic() + patience
    while not is_there() and time.monotonic() < deadline:
        time.sleep(min(1.0, patience))
