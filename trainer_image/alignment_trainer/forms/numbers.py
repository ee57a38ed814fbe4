"""Reads the numbers of a row: scores, ranks and ratings."""

from math import isfinite
from typing import Any

from alignment_trainer.forms.texts import shown
from alignment_trainer.reading.bad_row import BadRow


def number_of(value: Any, place: str) -> float:
    """Return a number, or the number that a text holds, as CSV has only texts; raise BadRow if it is none."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not isfinite(number):
        raise BadRow(f"{place} is {shown(value)}, which is no number; correct it")
    return number
