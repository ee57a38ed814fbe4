"""Answers of a model of the job on the volume: each process appends whole batches to a file of its own."""

import json
import time
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from alignment_api.files import without_torn_line

from alignment_trainer.endpoints.question import Answer
from alignment_trainer.failures import IncompleteAnswers

_PATIENCE_SECONDS = 90.0
"""Longer than NFS caches a folder's attributes: 60 seconds with the default mount options."""


class Said(NamedTuple):
    """An answer, and the key of its prompt."""

    key: str
    answer: Answer


class SampledBatches:
    """The files of one folder; a line holds one batch, so that a batch is there whole or not at all."""

    def __init__(self, folder: Path, process: int) -> None:
        self._folder = folder
        self._own = folder / f"process-{process}.jsonl"
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        without_torn_line(self._own)
        self._file = self._own.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def append(self, said: list[Said]) -> None:
        """Write a batch."""
        assert self._file is not None
        answers = [{"key": one.key, **vars(one.answer)} for one in said]
        self._file.write(json.dumps({"answers": answers}).encode() + b"\n")
        self._file.flush()

    def known(self) -> set[str]:
        """Return the keys of the prompts whose answers are written, by any process of any attempt."""
        return {answer["key"] for line in self._lines() for answer in line["answers"]}

    def sizes(self) -> dict[str, int]:
        """Return the size of this process's file, as it sees it."""
        return {self._own.name: self._own.stat().st_size} if self._own.exists() else {}

    def await_all(self, seen: Sequence[dict[str, int]], wanted: Set[str], patience: float = _PATIENCE_SECONDS) -> None:
        """Wait until this process sees what all processes wrote, and refuse a volume on which that does not happen."""
        sizes = {name: size for one in seen for name, size in one.items()}
        deadline = time.monotonic() + patience
        while any(self._size(name) < size for name, size in sizes.items()) and time.monotonic() < deadline:
            time.sleep(min(1.0, patience))
        missing = wanted - self.known()
        if missing:
            raise IncompleteAnswers(
                f"{self._folder}: rank 0 does not see what all processes wrote ({len(missing)} of {len(wanted)} answers are "
                f"missing); mount the same ReadWriteMany workspace volume into all pods"
            )

    def read(self) -> dict[str, Answer]:
        """Return all answers by the keys of their prompts; a batch that two attempts drew has the same answers in both."""
        return {
            answer.pop("key"): Answer(**answer)
            for line in self._lines()
            for answer in line["answers"]
            if isinstance(answer, dict)
        }

    def _lines(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("process-*.jsonl")):
            with path.open("rb") as file:
                # A line without an end was torn when its process was killed.
                yield from (json.loads(line) for line in file if line.endswith(b"\n"))

    def _size(self, name: str) -> int:
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0
