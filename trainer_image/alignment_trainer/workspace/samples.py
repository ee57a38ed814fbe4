"""Answers of the policy to the same few prompts during training: rows of a file, in which each step is complete or missing."""

import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from alignment_api.files import flush, set_aside
from alignment_api.names import SAMPLES_FILE
from pydantic import BaseModel, ValidationError


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
    step_rows: int | None = None
    """How many rows the step has, by which a complete one is known; None where an earlier version wrote it."""


class Samples:
    """Appends the answers of a stage, step by step."""

    def __init__(self, stage: Path) -> None:
        self._path = stage / SAMPLES_FILE
        lines = _whole_lines(self._path)
        rows = [_parsed(line) for line in lines]
        if None in rows:
            print(
                f"{set_aside(self._path)} was damaged; the answers before this attempt are missing", file=sys.stderr, flush=True
            )
            lines, rows = [], []
        kept = _in_whole_steps([row for row in rows if row])
        if self._path.exists():
            # Cut, not written again: on a full disk the complete steps must stay.
            os.truncate(self._path, sum(map(len, lines[: len(kept)])))
        self.steps = {sample.step for sample in kept}

    def append(self, samples: list[Sample]) -> None:
        """Write the samples of a step, unless an earlier attempt wrote them."""
        new = [sample for sample in samples if sample.step not in self.steps]
        if new:
            self.steps.add(new[0].step)
            counted = [sample.model_copy(update={"step_rows": len(new)}) for sample in new]
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(sample.model_dump_json() + "\n" for sample in counted))
            # Training goes on from a later checkpoint, and does not ask again.
            flush(self._path)


def read_samples(path: Path) -> Iterator[Sample]:
    """Read the complete rows; a line that is still being written is ignored, and so is a damaged one."""
    for line in _whole_lines(path):
        row = _parsed(line)
        if row:
            yield row


def _whole_lines(path: Path) -> list[bytes]:
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def _parsed(line: bytes) -> Sample | None:
    try:
        return Sample.model_validate_json(line)
    except ValidationError:
        return None


def _in_whole_steps(rows: list[Sample]) -> list[Sample]:
    """Return the rows without those of the last step if some of its rows are missing."""
    steps = [list(step) for _, step in groupby(rows, lambda row: row.step)]
    return rows if not steps or _is_whole(*steps[-2:]) else rows[: -len(steps[-1])]


def _is_whole(*steps: list[Sample]) -> bool:
    *before, last = steps
    if last[0].step_rows is not None:
        return len(last) == last[0].step_rows
    # An earlier version did not count them, and asked the same at each step.
    return not before or before[0][0].step_rows is not None or len(before[0]) == len(last)
