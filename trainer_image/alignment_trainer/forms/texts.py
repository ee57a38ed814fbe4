"""Reads the texts of a row, and refuses those that no tokenizer takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from alignment_trainer.reading.bad_row import BadRow


def text_of(row: Mapping[str, Any], column: str) -> str:
    """Read a column that must contain more than white space."""
    text = whole_text(row[column], column)
    if not text or text.isspace():
        raise BadRow(f"{column} is empty; fill it or remove the row")
    return text


def optional_text(row: Mapping[str, Any], column: str) -> str:
    """Read a column that may be absent, null or empty; these are the empty text."""
    value = row.get(column)
    return "" if value is None else whole_text(value, column)


def whole_text(value: Any, place: str) -> str:
    """Return a text; raise BadRow if it is no string or no valid UTF-8, which tokenizers refuse."""
    if not isinstance(value, str):
        raise BadRow(f"{place} is not text; correct it")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRow(f"{place} contains half of a character (a lone surrogate, at {error.start}); correct it") from error
    return value


def strings_in(value: Any) -> Iterator[str]:
    """Yield all strings in nested lists and objects, also the keys: a template that writes an object writes these too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from strings_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_in(item)


def shown(value: Any) -> str:
    """Return a value as a sentence shows it, not longer than 40 characters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
