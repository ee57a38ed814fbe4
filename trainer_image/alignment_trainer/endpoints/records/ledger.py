"""The ledger of a stage: a line before each request, and one after it, so that no attempt forgets what another has paid."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from alignment_trainer.endpoints.records.committed_file import CommittedFile, without_torn_line
from alignment_trainer.endpoints.spending import Charge

LEDGER_FILE = "asked.jsonl"
_ENDS = ("answered", "failed", "possiblyPaid")


class Sent(NamedTuple):
    """A request of which no end is written: it was in flight when its process was killed, and is possibly paid."""

    key: str
    most: Charge


@dataclass
class History:
    """What the earlier attempts of a stage have asked."""

    last: int = 0
    spent: Charge = field(default_factory=Charge)
    """With the most that the possibly paid requests may have cost."""
    answers: int = 0
    estimated: int = 0
    possibly_paid: int = 0
    in_flight: dict[int, Sent] = field(default_factory=dict)

    def take(self, line: dict[str, Any]) -> None:
        """Add one line."""
        charge = Charge(line["requests"], line["promptTokens"], line["answerTokens"], line["cost"])
        if "sent" in line:
            self.last = line["sent"]
            self.in_flight[self.last] = Sent(line["key"], charge)
            return
        self.in_flight.pop(next(line[end] for end in _ENDS if end in line), None)
        self.spent += charge
        self.answers += "answered" in line
        self.possibly_paid += "possiblyPaid" in line
        self.estimated += line.get("estimated", False)


def read_history(path: Path) -> History:
    """Read a ledger, without what a crash has left of its last line."""
    without_torn_line(path)
    history = History()
    for line in _lines(path):
        history.take(line)
    return history


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open("rb") as file:
            yield from map(json.loads, file)


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
        await self._file.append(_line({"sent": number, "key": key}, most))

    async def answered(self, number: int, charge: Charge, is_estimated: bool) -> None:
        """Write that a request was answered."""
        await self._file.append(_line({"answered": number, **_estimated(is_estimated)}, charge))

    async def failed(self, number: int, reason: str, charge: Charge, is_estimated: bool) -> None:
        """Write that a request got no usable answer."""
        await self._file.append(_line({"failed": number, "reason": reason, **_estimated(is_estimated)}, charge))

    async def possibly_paid(self, number: int, most: Charge) -> None:
        """Write that a request was in flight when its process was killed, and that nobody knows its answer."""
        await self._file.append(_line({"possiblyPaid": number}, most))

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def _estimated(is_estimated: bool) -> dict[str, bool]:
    return {"estimated": True} if is_estimated else {}


def _line(what: dict[str, Any], charge: Charge) -> bytes:
    numbers = {
        "requests": charge.requests,
        "promptTokens": charge.prompt_tokens,
        "answerTokens": charge.answer_tokens,
        "cost": charge.cost,
    }
    return f"{json.dumps({**what, **numbers})}\n".encode()
