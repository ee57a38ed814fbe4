"""The rows of one task as one model answered it, while they are measured: each process appends to a file of its own."""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from accelerate import PartialState
from accelerate.utils import gather_object
from alignment_api.results.evaluation import EvaluatedRow

from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.synthesis.sampling.process_lines import ProcessLines

MEASURED_FOLDER = "measured"
"""Holds the rows of a stage until they are published."""


class RowFile:
    """Appends rows; a row of an earlier attempt is not measured again, unless it failed."""

    def __init__(self, stage: Path, task: str, model: str) -> None:
        self._files = ProcessLines(stage / MEASURED_FOLDER / task / model, PartialState().process_index)
        self._counting, self._read, self._counted = threading.Lock(), dict[str, int](), set[str]()

    @property
    def folder(self) -> Path:
        """Return the folder with the files of all processes."""
        return self._files.folder

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._files.__exit__(*error)

    def append(self, rows: Iterable[EvaluatedRow]) -> None:
        """Write rows."""
        for row in rows:
            self._files.append_line(row.dump())

    def known(self) -> frozenset[str]:
        """Return which rows are measured, as the first process sees it; all processes call this alike."""
        return shared(lambda: frozenset(row.row for row in self.read() if has_score(row)))

    def known_here(self) -> frozenset[str]:
        """Return which rows are measured, as this process sees it: for work of the first process alone."""
        return frozenset(row.row for row in self.read() if has_score(row))

    def read(self) -> list[EvaluatedRow]:
        """Return all rows; of one that was measured again, the last."""
        rows = (EvaluatedRow.model_validate(line, extra="ignore") for line in self._files.lines())
        return list({row.row: row for row in rows}.values())

    def count(self) -> int:
        """Return how many rows are written; several threads ask again and again, so what is counted is not read again."""
        with self._counting:
            self._counted.update(line["row"] for line in self._files.lines_after(self._read))
            return len(self._counted)

    def await_all(self, wanted: Sequence[str]) -> None:
        """Let the first process wait until it sees the wanted rows; all processes call this alike."""
        seen = gather_object([self._files.sizes()])
        if PartialState().is_main_process:
            self._files.await_lines(seen, set(wanted), lambda: {row.row for row in self.read()}, "rows")
        PartialState().wait_for_everyone()


def has_score(row: EvaluatedRow) -> bool:
    """Return whether a row was measured; one that failed has a reason and not a single score."""
    return row.reason is None or any(value is not None for value in row.scores.values())
