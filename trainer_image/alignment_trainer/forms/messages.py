"""Reads the messages and texts of a row, and refuses malformed ones."""

from collections.abc import Mapping
from typing import Any

from alignment_trainer.reading.bad_row import BadRow

Message = dict[str, Any]
"""A role and its content; a message of a model that calls tools, or of a tool, has further keys for the chat template."""
Text = str | list[Message]
ROLES = ("system", "user", "assistant")
_SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}
"""The speakers of ShareGPT's conversations, and their roles."""


def messages_of(value: Any, column: str) -> list[Message]:
    """Read a list of messages with role and content."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"{column} must be a list of messages with role and content that is not empty; correct it")
    return [_message(message, f"{column}[{index}]") for index, message in enumerate(value)]


def conversation_of(value: Any, column: str) -> list[Message]:
    """Read a list of turns with from and value, as ShareGPT writes them."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"{column} must be a list of turns with from and value that is not empty; correct it")
    return [_turn(turn, f"{column}[{index}]") for index, turn in enumerate(value)]


def text_of(row: Mapping[str, Any], column: str) -> str:
    """Read a column that must contain more than white space."""
    text = whole_text(row[column], column)
    if not text or text.isspace():
        raise BadRow(f"{column} is empty; fill it or remove the row")
    return text


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


def _message(message: Any, place: str) -> Message:
    if not isinstance(message, dict):
        raise BadRow(f"{place} must be a message with role and content; correct it")
    role = message.get("role")
    if role not in ROLES:
        raise BadRow(f"{place}.role is {_shown(role)}; use one of {', '.join(ROLES)}")
    return {"role": role, "content": whole_text(message.get("content"), f"{place}.content")}


def _turn(turn: Any, place: str) -> Message:
    if not isinstance(turn, dict):
        raise BadRow(f"{place} must be a turn with from and value; correct it")
    speaker = turn.get("from")
    if not isinstance(speaker, str) or speaker not in _SPEAKERS:
        raise BadRow(f"{place}.from is {_shown(speaker)}; use one of {', '.join(_SPEAKERS)}")
    return {"role": _SPEAKERS[speaker], "content": whole_text(turn.get("value"), f"{place}.value")}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
