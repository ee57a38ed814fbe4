"""Reads the label of a row that says whether its answer is good, as data for KTO has it."""

from collections.abc import Mapping
from typing import Any

from alignment_trainer.forms.texts import shown
from alignment_trainer.reading.bad_row import BadRow

LABEL_COLUMNS = ("label", "kto_tag")
_WORDS = {"true": True, "false": False}
"""CSV has only text."""


def says_good_or_bad(label: Any) -> bool:
    """Return whether a label is true or false, also as a text."""
    return _true_or_false(label) is not None


def label_of(row: Mapping[str, Any]) -> bool | None:
    """Return whether the answer is good; None if the row has no such label, but perhaps one with another meaning."""
    for column in LABEL_COLUMNS:
        value = row.get(column)
        label = _true_or_false(value)
        if label is not None:
            return label
        if isinstance(value, int | float) and value in (0, 1):
            raise BadRow(
                f"{column} is {shown(value)}, which may mean false or true; write these, or give the dataset columns, "
                f"which read {column} as label or not at all"
            )
    return None


def _true_or_false(label: Any) -> bool | None:
    if isinstance(label, str):
        return _WORDS.get(label.strip().lower())
    return label if isinstance(label, bool) else None
