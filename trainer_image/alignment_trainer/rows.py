"""What a row of training data must look like, and how it is read: dialogues and pairs, in each of their usual forms."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Message = dict[str, str]
Text = str | list[Message]
ROLES = ("system", "user", "assistant")


class BadRow(ValueError):
    """A row cannot be used; the text completes a sentence that begins with the row's place."""


class Dialogue(NamedTuple):
    """What supervised fine-tuning learns: with a prompt of its own, only what follows it is learned."""

    prompt: Text | None
    answer: Text


class Pair(NamedTuple):
    """What preference optimization learns: one prompt, two answers."""

    prompt: Text
    chosen: Text
    rejected: Text


def dialogue_of(row: Mapping[str, Any]) -> Dialogue:
    """Read a row of messages, or of prompt and completion."""
    if row.get("messages") is not None:
        messages = _messages(row["messages"], "messages")
        if all(message["role"] != "assistant" for message in messages):
            raise BadRow("messages has no answer of the role assistant; there is nothing to learn from it")
        return Dialogue(None, messages)
    prompt, completion = _texts(row, ("prompt", "completion"), "messages, or prompt and completion")
    return Dialogue(prompt, completion)


def pair_of(row: Mapping[str, Any]) -> Pair:
    """Read a row of prompt, chosen and rejected; whole dialogues that differ in their ends are taken apart."""
    if isinstance(row.get("chosen"), list) and isinstance(row.get("rejected"), list):
        prompt = row.get("prompt")
        if not isinstance(prompt, list):
            return _taken_apart(_messages(row["chosen"], "chosen"), _messages(row["rejected"], "rejected"))
    prompt, chosen, rejected = _texts(row, ("prompt", "chosen", "rejected"), "prompt, chosen and rejected")
    return _differing(Pair(prompt, chosen, rejected))


def _taken_apart(chosen: list[Message], rejected: list[Message]) -> Pair:
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared:
        raise BadRow("chosen and rejected share no first message; add prompt, as a list of messages")
    return _differing(Pair(chosen[:shared], chosen[shared:], rejected[shared:]))


def _differing(pair: Pair) -> Pair:
    if pair.chosen == pair.rejected:
        raise BadRow("chosen and rejected are the same; remove the row")
    return pair


def _texts(row: Mapping[str, Any], columns: tuple[str, ...], wanted: str) -> list[Any]:
    missing = [column for column in columns if row.get(column) is None]
    if missing:
        there = ", ".join(sorted(column for column, value in row.items() if value is not None)) or "nothing"
        raise BadRow(f"has no {' and no '.join(missing)}; it needs {wanted}, and has {there}")
    values = [row[column] for column in columns]
    if all(isinstance(value, str) for value in values):
        for column, value in zip(columns[1:], values[1:], strict=True):
            if not value:
                raise BadRow(f"{column} is empty; fill it or remove the row")
        return values
    if all(isinstance(value, list) for value in values):
        return [_messages(value, column) for column, value in zip(columns, values, strict=True)]
    raise BadRow(f"{', '.join(columns)} must all be texts, or all lists of messages; make them alike")


def _messages(value: Any, column: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise BadRow(f"{column} must be a list of messages with role and content, and not empty; correct it")
    return [_message(message, f"{column}[{index}]") for index, message in enumerate(value)]


def _message(message: Any, place: str) -> Message:
    if not isinstance(message, dict):
        raise BadRow(f"{place} must be a message with role and content; correct it")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise BadRow(f"{place}.role is {role!r}; use one of {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise BadRow(f"{place}.content is no text; correct it")
    return {"role": role, "content": content}
