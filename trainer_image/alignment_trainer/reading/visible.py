"""Writes control characters as escapes, so that no row moves the cursor of a terminal that shows it, or changes its colours."""

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile(r"[\t\n]")


def visible(text: str) -> str:
    """Return a text with its control characters as escapes; line breaks and tabs stay."""
    return _CONTROLS.sub(_escape, text)


def in_one_line(text: str) -> str:
    """Return a text with all its control characters as escapes, for a sentence or a list of names."""
    return _BREAKS.sub(_escape, visible(text))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
