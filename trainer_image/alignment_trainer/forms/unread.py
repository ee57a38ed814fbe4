"""Finds what a row has beside that which its form reads."""

from collections.abc import Iterator
from typing import Any

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.form import Form, Row, is_empty
from alignment_trainer.forms.messages import KNOWN_KEYS
from alignment_trainer.reading.visible import in_one_line

_OURS = "provenance"
"""Stands beside each row that a stage has written: it says where the row comes from, and nothing to learn."""


def unread_columns(row: Row, form: Form[Any], also: tuple[str, ...], example: Dialogue | Pair) -> tuple[str, ...]:
    """Return the columns of a row, and the keys of its messages, that its form ignores and that say something of their own."""
    read = {*form.columns, *form.optional, *also}
    texts = {text.strip() for part in example.parts for text in _texts_of(part)}
    others = {column: value for column, value in row.items() if column not in read and not _is_ours(column, value)}
    columns = [str(column) for column, value in others.items() if not _is_known(value, texts)]
    keys = {f"{column}[].{key}" for column in read for key in _unread_keys(row.get(column))}
    return tuple(sorted({in_one_line(name) for name in (*columns, *keys)}))


def _is_ours(column: Any, value: Any) -> bool:
    return column == _OURS and isinstance(value, dict)


def _is_known(value: Any, texts: set[str]) -> bool:
    """Return whether ignoring a value loses nothing: it is empty, or repeats what was read, as UltraChat's prompt does."""
    if is_empty(value):
        return True
    repeated = list(_texts_of(value))
    return bool(repeated) and all(text.strip() in texts for text in repeated)


def _texts_of(part: Any) -> Iterator[str]:
    """Yield the texts of a column that is a text or a list of messages."""
    for message in part if isinstance(part, list) else [part]:
        text = message.get("content") if isinstance(message, dict) else message
        yield text if isinstance(text, str) else "\0"


def _unread_keys(value: Any) -> Iterator[str]:
    """Yield the keys of messages that no form reads."""
    for message in value if isinstance(value, list) else ():
        if isinstance(message, dict) and ("role" in message or "from" in message):
            yield from (str(key) for key, item in message.items() if key not in KNOWN_KEYS and not is_empty(item))
