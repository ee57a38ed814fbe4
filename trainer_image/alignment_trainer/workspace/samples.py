"""Answers of the policy to the same few prompts during training: rows of a file, in which each step is complete or missing."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from alignment_api.names import SAMPLES_FILE
from pydantic import BaseModel, ConfigDict

PROMPTS = 4
"""Few prompts, so that answering them takes little time compared to an evaluation."""


class Sample(BaseModel):
    """One answer of the policy, with the answers of the held-out row."""

    model_config = ConfigDict(extra="forbid")

    step: int
    prompt: str
    chosen: str | None = None
    rejected: str | None = None
    reference: str | None = None
    policy: str


class Samples:
    """Appends to the samples of a stage."""

    def __init__(self, stage: Path, prompts: int) -> None:
        path = stage / SAMPLES_FILE
        _drop_unfinished_step(path, prompts)
        self._known = {sample.step for sample in read_samples(path)}
        self._path = path

    def append(self, samples: list[Sample]) -> None:
        """Write the samples of a step, unless an earlier attempt wrote them."""
        new = [sample for sample in samples if sample.step not in self._known]
        if new:
            self._known.add(new[0].step)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(sample.model_dump_json() + "\n" for sample in new))


def read_samples(path: Path) -> Iterator[Sample]:
    """Read the complete rows; a line that is still being written is ignored."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield Sample.model_validate_json(line)


def drawn_rows(rows: int, seed: int) -> list[int]:
    """Choose the held-out rows whose prompts the policy answers, the same ones at every step and in every attempt."""
    return sorted(random.Random(seed).sample(range(rows), min(PROMPTS, rows)))


def _drop_unfinished_step(path: Path, prompts: int) -> None:
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    whole = len(lines) if all(line.endswith(b"\n") for line in lines) else len(lines) - 1
    steps = [json.loads(line)["step"] for line in lines[:whole]]
    while steps and steps.count(steps[-1]) < prompts:
        steps.pop()
    # Cut, not written again: on a full disk the complete steps must stay.
    os.truncate(path, sum(len(line) for line in lines[: len(steps)]))
