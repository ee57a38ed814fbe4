"""The runs that need attention, each as one line: a sign, the run, the cause in a few words, and the next step."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment_dashboard.facts.next_step import next_step
from alignment_dashboard.facts.run_list.row import Row
from alignment_dashboard.facts.status import BADGES, SILENT, Attention, Colour
from alignment_dashboard.text import first_sentence, shorten, visible

SHOWN = 5
LINE_LENGTH, STEP_LENGTH = 190, 150
"""Characters that fit on one line at 1440 pixels."""


class Line(NamedTuple):
    """One line; both texts are cut, the page of the run shows all of them."""

    identity: str
    name: str
    sign: str
    colour: Colour
    cause: str
    step: str

    @property
    def text(self) -> str:
        """Return what follows the name."""
        return f"{self.cause}  →  {self.step}"


def lines(rows: Sequence[Row], found: Mapping[str, Attention]) -> list[Line]:
    """Return the lines of the first few rows that need attention."""
    needing = [row for row in rows if row.identity in found]
    return [_line(row, found[row.identity]) for row in needing[:SHOWN]]


def _line(row: Row, why: Attention) -> Line:
    first, rest = first_sentence(visible(why.message))
    # What to do about silence has the command for this stage, if it is short enough.
    advice = rest if len(rest) <= STEP_LENGTH else ""
    step = (advice if why.reason == SILENT else "") or next_step(why.reason, row.phase) or advice or "open it"
    reason = _in_words(why.reason)
    # A reason that the message begins with would be read twice.
    cause = first if first.lower().startswith(reason) or reason == SILENT.lower() else f"{reason}: {first}"
    badge = BADGES[row.phase]
    return Line(
        row.identity,
        row.name,
        badge.sign,
        why.colour,
        shorten(cause.rstrip(" .;:"), LINE_LENGTH - len(row.name) - len(step)),
        step,
    )


def _in_words(reason: str) -> str:
    """Write a CamelCase word as words: OutOfMemory becomes out of memory."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reason).lower()
