"""Answers of the policy to the same few prompts during training: rows of a file, in which each step is complete or missing."""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from alignment_api.files import flush
from alignment_api.names import SAMPLES_FILE
from pydantic import BaseModel


class Sample(BaseModel):
    """One answer of the policy, with the answers of the held-out row."""

    step: int
    key: str | None = None
    """Which prompt it answers, the same in all stages; None where an earlier version wrote it."""
    prompt: str
    chosen: str | None = None
    rejected: str | None = None
    reference: str | None = None
    policy: str


class Samples:
    """Appends to the samples of a stage, of which each step has one row for each key."""

    def __init__(self, stage: Path, keys: Sequence[str]) -> None:
        path = stage / SAMPLES_FILE
        _drop_unfinished_step(path, list(keys))
        self.steps = {sample.step for sample in read_samples(path)}
        self._path = path

    def append(self, samples: list[Sample]) -> None:
        """Write the samples of a step, unless an earlier attempt wrote them."""
        new = [sample for sample in samples if sample.step not in self.steps]
        if new:
            self.steps.add(new[0].step)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(sample.model_dump_json() + "\n" for sample in new))
            # Training goes on from a later checkpoint, and does not ask again.
            flush(self._path)


def read_samples(path: Path) -> Iterator[Sample]:
    """Read the complete rows; a line that is still being written is ignored."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield Sample.model_validate_json(line)


def _drop_unfinished_step(path: Path, keys: list[str]) -> None:
    if not path.exists():
        return
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    rows = [json.loads(line) for line in lines]
    steps = [[row.get("key") for row in step] for _, step in groupby(rows, lambda row: row["step"])]
    whole = len(rows) if _is_whole(steps, keys) else len(rows) - len(steps[-1])
    # Cut, not written again: on a full disk the complete steps must stay.
    os.truncate(path, sum(map(len, lines[:whole])))


def _is_whole(steps: list[list[Any]], keys: list[str]) -> bool:
    """Return whether the last step has all its rows, by the keys of each step."""
    if not steps:
        return True
    *before, last = steps
    # An earlier version asked other prompts, and wrote no keys.
    return last == keys or last == before[-1] if before else last == keys or None in last
