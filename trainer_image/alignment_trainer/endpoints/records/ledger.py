"""The ledger of a stage: a line before each request, and one after it, so that no attempt forgets what another has paid."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignment_api.files import without_torn_line

from alignment_trainer.endpoints.probe import is_probe
from alignment_trainer.endpoints.records.committed_file import CommittedFile
from alignment_trainer.endpoints.spending import Charge

LEDGER_FILE = "asked.jsonl"
_ENDS = ("answered", "failed", "possiblyPaid")


@dataclass
class History:
    """What the earlier attempts of a stage have asked."""

    last: int = 0
    spent: Charge = field(default_factory=Charge)
    """With the most that the possibly paid requests may have cost."""
    answers: int = 0
    estimated: int = 0
    possibly_paid: int = 0
    in_flight: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The lines of requests of which no end is written: they were in flight when their process was killed."""
    kept: int = 0
    """Answers that were taken from the kept ones instead of asked for."""

    def take(self, line: dict[str, Any]) -> None:
        """Add one line."""
        if "sent" in line:
            self.last = line["sent"]
            self.in_flight[self.last] = line
            return
        if "kept" in line:
            self.kept += line["kept"]
            return
        self.spent += charge_of_line(line)
        sent = self.in_flight.pop(next(line[end] for end in _ENDS if end in line), None)
        self.answers += "answered" in line and not (sent and is_probe(sent["key"]))
        self.possibly_paid += "possiblyPaid" in line
        self.estimated += line.get("estimated", False)


def read_history(path: Path) -> History:
    """Read a ledger, without what a crash has left of its last line; a request whose end cannot be read is in flight."""
    without_torn_line(path)
    history = History()
    for number, line in enumerate(_lines(path), 1):
        try:
            history.take(json.loads(line))
        except (ValueError, KeyError, TypeError, StopIteration):
            print(f"{path}: line {number} is damaged, and its request may be paid", file=sys.stderr, flush=True)
    return history


def _lines(path: Path) -> Iterator[str]:
    if path.exists():
        # As text: of bytes, json would guess the encoding of each line.
        with path.open(encoding="ascii", errors="replace") as file:
            yield from file


def charge_of_line(line: dict[str, Any]) -> Charge:
    """Return what a line says that a request costs."""
    return Charge(line["requests"], line["promptTokens"], line["answerTokens"], line["cost"])


class Ledger:
    """Appends to the ledger of a stage."""

    def __init__(self, path: Path, last: int) -> None:
        self._file, self._last = CommittedFile(path), last

    def next_number(self) -> int:
        """Return the number of a new request."""
        self._last += 1
        return self._last

    async def sent(self, number: int, key: str, most: Charge) -> None:
        """Write that a request is about to be sent, and return when that is on the disk."""
        await self._append({"sent": number, "key": key}, most)

    async def answered(self, number: int, charge: Charge, is_estimated: bool) -> dict[str, Any]:
        """Write that a request was answered, and return the line."""
        return await self._append({"answered": number, **_estimated(is_estimated)}, charge)

    async def failed(self, number: int, reason: str, charge: Charge, is_estimated: bool) -> dict[str, Any]:
        """Write that a request got no usable answer, and return the line."""
        return await self._append({"failed": number, "reason": reason, **_estimated(is_estimated)}, charge)

    async def possibly_paid(self, number: int, most: Charge) -> dict[str, Any]:
        """Write that a request was in flight when its process was killed, and that its answer is unknown; return the line."""
        return await self._append({"possiblyPaid": number}, most)

    async def kept(self, answers: int) -> None:
        """Write how many answers were taken from the kept ones since the last such line."""
        await self._file.append(f"{json.dumps({'kept': answers})}\n".encode())

    async def _append(self, what: dict[str, Any], charge: Charge) -> dict[str, Any]:
        line = {
            **what,
            "requests": charge.requests,
            "promptTokens": charge.prompt_tokens,
            "answerTokens": charge.answer_tokens,
            "cost": charge.cost,
        }
        await self._file.append(f"{json.dumps(line)}\n".encode())
        return line

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def _estimated(is_estimated: bool) -> dict[str, bool]:
    return {"estimated": True} if is_estimated else {}
