"""Reads the label of a row that says whether its answer is good, as data for KTO has it."""

from collections.abc import Mapping
from typing import Any

from alignment_trainer.forms.texts import shown
from alignment_trainer.reading.bad_row import BadRow

LABEL_COLUMNS = ("label", "kto_tag")
_WORDS = {"true": True, "false": False}
"""CSV has only text."""


def label_of(row: Mapping[str, Any]) -> bool | None:
    """Return whether the answer is good; None if the row has no such label, but perhaps one with another meaning."""
    for column in LABEL_COLUMNS:
        label = row.get(column)
        if isinstance(label, str):
            label = _WORDS.get(label.strip().lower())
        if isinstance(label, bool):
            return label
        if label in (0, 1) and label is not None:
            raise BadRow(f"{column} is {shown(label)}, which may mean false or true; write these, or rename the column")
    return None
