"""Keeps what was made of each prompt in a file of the stage, in the order in which it was finished; an attempt continues it."""

import json
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MADE_FILE = "made.jsonl"

WrittenRow = dict[str, Any]
"""A row as the stage writes it, in a form that forms/ reads."""


@dataclass(frozen=True)
class LeftOut:
    """Why a prompt gives no row."""

    reason: str
    """One word, under which it is counted."""
    detail: str = ""
    has_failed: bool = False
    """Whether no model gave a usable answer, which counts against maximumFailedShare, and is tried again by the next attempt."""
    place: str = ""
    asks_again: bool = True
    """Whether the next attempt of a failed one sends a request; answers of no use are kept, and would be the same."""


Outcome = list[WrittenRow] | LeftOut


def by_reason(counts: Mapping[str, int]) -> str:
    """Return counts as a sentence shows them, the most frequent reason first."""
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count
    )


class Made:
    """What was made of each prompt, by the prompt's position; in memory each takes 16 bytes, whatever its rows."""

    def __init__(self, folder: Path, total: int) -> None:
        self._path = folder / MADE_FILE
        self._starts = array("q", [-1]) * total
        self._keys = array("Q", [0]) * total
        self.done = 0
        self.written = 0
        self.left_out: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        """Those of the left out ones without a usable answer."""
        self.asked_again = 0
        """How many of the failed ones the next attempt asks again."""
        self._end = self._load()
        self._file = self._path.open("ab")

    def has(self, position: int, key: str) -> bool:
        """Return whether it is known what becomes of this prompt."""
        return self._starts[position] >= 0 and self._keys[position] == int(key, 16)

    def add(self, position: int, key: str, outcome: Outcome) -> None:
        """Write down what was made of a prompt."""
        what = {"leftOut": vars(outcome)} if isinstance(outcome, LeftOut) else {"rows": outcome}
        line = json.dumps({"position": position, "key": key, **what}, ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        self._take(self._end, position, key, outcome)
        self._end += len(line)

    def in_order(self) -> Iterator[Outcome]:
        """Yield what was made, in the order of the prompts."""
        with self._path.open("rb") as file:
            for start in self._starts:
                if start >= 0:
                    file.seek(start)
                    yield _outcome(json.loads(file.readline()))

    def remove(self) -> None:
        """Remove the file, when its rows are published."""
        self._file.close()
        self._path.unlink()

    def _load(self) -> int:
        """Read what earlier attempts made; failures are tried again, and a damaged line ends what is known."""
        end = 0
        for line in _lines(self._path):
            try:
                made = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                made = None
            if made is None:
                # The answers themselves are kept elsewhere, so that nothing is paid again.
                os.truncate(self._path, end)
                break
            outcome = _outcome(made)
            if made["position"] < len(self._starts) and not (isinstance(outcome, LeftOut) and outcome.has_failed):
                self._take(end, made["position"], made["key"], outcome)
            end += len(line)
        return end

    def _take(self, start: int, position: int, key: str, outcome: Outcome) -> None:
        if self._starts[position] >= 0:
            # The rows of the dataset have changed since the earlier attempt.
            self._count(self._read(self._starts[position]), -1)
        self._starts[position], self._keys[position] = start, int(key, 16)
        self._count(outcome, 1)

    def _count(self, outcome: Outcome, by: int) -> None:
        self.done += by
        if isinstance(outcome, LeftOut):
            self.left_out[outcome.reason] += by
            if outcome.has_failed:
                self.failed[outcome.reason] += by
                self.asked_again += by * outcome.asks_again
        else:
            self.written += by * len(outcome)

    def _read(self, start: int) -> Outcome:
        with self._path.open("rb") as file:
            file.seek(start)
            return _outcome(json.loads(file.readline()))


def _lines(path: Path) -> Iterator[bytes]:
    if path.exists():
        with path.open("rb") as file:
            yield from file


def _outcome(made: dict[str, Any]) -> Outcome:
    return LeftOut(**made["leftOut"]) if "leftOut" in made else list(made["rows"])
