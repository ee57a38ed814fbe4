"""Reads a prompt that a model may or should refuse, as the user's files and XSTest have it."""

from typing import NamedTuple

from alignment_trainer.data.openings import read_opening
from alignment_trainer.endpoints.question import Message
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.texts import optional_text


class Sensitive(NamedTuple):
    """A prompt, and what its row says about it."""

    messages: tuple[Message, ...]
    label: str
    """Such as safe or unsafe; empty if the row has none."""
    type: str
    """Which kind of prompt it is; empty if the row has none."""

    @property
    def group(self) -> str:
        """Return under which name its answers are counted beside all together."""
        return self.label or self.type


def read_sensitive(row: Row) -> Sensitive:
    """Read a question, with the columns label and type where there are such."""
    question = {name: value for name, value in row.items() if name not in ("label", "type")}
    return Sensitive(read_opening(question).messages, optional_text(row, "label").strip(), optional_text(row, "type").strip())
