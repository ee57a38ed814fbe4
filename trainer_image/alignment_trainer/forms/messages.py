"""Reads messages as OpenAI writes them, and turns as ShareGPT does, and refuses malformed ones."""

import json
from typing import Any

from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.texts import shown, whole_text
from alignment_trainer.forms.tools import calls_in_text, calls_of
from alignment_trainer.reading.bad_row import BadRow

Message = dict[str, Any]
"""A role and its content; a message of a model that calls tools, or of a tool, has further keys for the chat template."""
Text = str | list[Message]

_ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    # Chat templates know these two by other names.
    "developer": "system",
    "function": "tool",
}
_SPEAKERS = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "function_call"), "assistant"),
    "system": "system",
    **dict.fromkeys(("observation", "tool", "function"), "tool"),
}
"""The speakers of ShareGPT's conversations, and their roles."""

KNOWN_KEYS = frozenset(
    ("role", "content", "from", "value", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "weight")
)
"""The keys of a message or turn that are read."""


def messages_of(value: Any, column: str) -> list[Message]:
    """Read a list of messages with role and content."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"{column} must be a list of messages with role and content that is not empty; correct it")
    return [message_of(message, f"{column}[{index}]") for index, message in enumerate(value)]


def conversation_of(value: Any, column: str) -> list[Message]:
    """Read a list of turns with from and value, as ShareGPT writes them; some files have messages in their place."""
    if not isinstance(value, list) or not value:
        raise BadRow(f"{column} must be a list of turns with from and value that is not empty; correct it")
    return [turn_of(turn, f"{column}[{index}]") for index, turn in enumerate(value)]


def unlearned_in(value: list[Any], read: list[Message]) -> frozenset[int]:
    """Return the positions of an assistant's messages that their weight excludes from the loss, as far as a list was read.

    What was read may be only the end of the list.
    """
    positions = range(len(value) - len(read), len(value))
    own = [position for position, message in zip(positions, read, strict=True) if message["role"] == "assistant"]
    return frozenset(position for position in own if _weight(value[position], position) == 0)


def as_messages(part: Any, role: str, column: str) -> list[Message]:
    """Return a list of messages as it is, and a text as one message."""
    return part if isinstance(part, list) else [{"role": role, "content": whole_text(part, column)}]


def message_of(message: Any, place: str) -> Message:
    """Read one message with role and content; keys of other messages that a table fills with null count as absent."""
    if not isinstance(message, dict):
        raise BadRow(f"{place} must be a message with role and content; correct it")
    refuse_media(message, f"{place} ")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise BadRow(f"{place}.role is {shown(role)}; use one of {', '.join(_ROLES)}")
    calls = _calls(message, place)
    if calls and role != "assistant":
        raise BadRow(f"{place} calls a tool, but its role is {role}; only an assistant calls tools")
    read: Message = {"role": _ROLES[role], "content": _content(message, place, bool(calls))}
    for key in ("name", "tool_call_id"):
        if message.get(key) is not None:
            read[key] = whole_text(message[key], f"{place}.{key}")
    return {**read, "tool_calls": calls} if calls else read


def turn_of(turn: Any, place: str) -> Message:
    """Read one turn with from and value."""
    if not isinstance(turn, dict):
        raise BadRow(f"{place} must be a turn with from and value; correct it")
    refuse_media(turn, f"{place} ")
    speaker = turn.get("from")
    if speaker is None and turn.get("role") is not None:
        return message_of(turn, place)
    if not isinstance(speaker, str) or speaker not in _SPEAKERS:
        raise BadRow(f"{place}.from is {shown(speaker)}; use one of {', '.join(_SPEAKERS)}")
    if speaker == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": calls_in_text(turn.get("value"), f"{place}.value")}
    return {"role": _SPEAKERS[speaker], "content": whole_text(turn.get("value"), f"{place}.value")}


def said(message: Message) -> str:
    """Return what a message says: its text, and the tools that it calls as JSON."""
    calls = json.dumps(message["tool_calls"], ensure_ascii=False) if message.get("tool_calls") else ""
    return " ".join(filter(None, (message["content"], calls)))


def _calls(message: Message, place: str) -> list[dict[str, Any]]:
    if message.get("tool_calls"):
        return calls_of(message["tool_calls"], f"{place}.tool_calls")
    if message.get("function_call"):
        return calls_of([message["function_call"]], f"{place}.function_call")
    return []


def _content(message: Message, place: str, is_call: bool) -> str:
    """Return the text of a message; an assistant that calls a tool or refuses may have no content."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(_part(part, f"{place}.content[{index}]") for index, part in enumerate(content))
    if content is None and message.get("refusal") is not None:
        return whole_text(message["refusal"], f"{place}.refusal")
    return "" if content is None and is_call else whole_text(content, f"{place}.content")


def _part(part: Any, place: str) -> str:
    """Return the text of one part of a message that is written in parts."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in ("text", "refusal"):
        raise BadRow(f"{place} is of type {shown(kind)}, but only parts of type text can be learned; remove the row")
    return whole_text(part.get(kind), f"{place}.{kind}")


def _weight(message: Message, index: int) -> int:
    weight = message.get("weight")
    if weight is None:
        return 1
    if weight not in (0, 1):
        raise BadRow(f"the weight of message {index + 1} is {shown(weight)}; use 1 to learn it, or 0 to leave it out of the loss")
    return int(weight)
