"""Refuses rows whose meaning is in images, sounds or films, because only their text would be learned."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from alignment_trainer.forms.form import is_empty
from alignment_trainer.reading.bad_row import BadRow

MEDIA_COLUMNS = ("image", "images", "audio", "audios", "video", "videos")
_MARK = re.compile(r"<(?:image|audio|video)>")
_MOST_NESTED = 8


def refuse_media(row: Mapping[str, Any], place: str = "") -> None:
    """Raise BadRow if a row or message has images, sounds or films, or marks in its texts for those that a column should hold."""
    columns = [column for column in MEDIA_COLUMNS if column in row]
    for column in columns:
        if not is_empty(row[column]) and row[column] != [None]:
            raise BadRow(f"{place}has {column}, and only text can be learned; remove {column}, or the row if its texts need it")
    if not columns:
        # Without such a column, a mark is text like any other: people discuss HTML and prompts.
        return
    for text in _texts(row, _MOST_NESTED):
        mark = _MARK.search(text)
        if mark:
            raise BadRow(f"{place}has {mark.group()} in a text, and {columns[0]} is empty; remove the mark, or the row")


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, list | Mapping):
        for item in value if isinstance(value, list) else value.values():
            yield from _texts(item, depth - 1)
