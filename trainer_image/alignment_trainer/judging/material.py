"""Puts the texts that a judge reads between lines that no such text can contain; pure."""

import hashlib
import itertools
import json
from collections.abc import Sequence

from alignment_trainer.endpoints.question import Message

_LETTERS = "bcdfghjkmnpqrstvwxz"
"""No vowels, so that a mark is no word, and no l, which looks like 1."""
_SHORTEST_MARK = 4
_ATTEMPTS_PER_LENGTH = 4
"""A long text can hold all marks of one length; then a longer one is needed."""


def mark_for(seed: int, kind: str, texts: Sequence[str]) -> str:
    """Return letters that occur in none of the texts, so that their authors cannot write a line that begins with them."""
    lowered = [text.lower() for text in texts]
    for attempt in itertools.count():
        length = _SHORTEST_MARK + attempt // _ATTEMPTS_PER_LENGTH
        mark = "".join(_LETTERS[byte % len(_LETTERS)] for byte in keyed_hash(seed, kind, attempt, *texts)[:length])
        if not any(mark in text for text in lowered):
            return mark
    raise AssertionError("unreachable")


def keyed_hash(*parts: object) -> bytes:
    """Return a hash of all parts; the same parts give the same hash on every machine."""
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def template_hash(*texts: str) -> str:
    """Return the hash under which answers to questions made of these texts are kept."""
    return keyed_hash(*texts).hex()[:16]


def label(position: int) -> str:
    """Return the name under which a judge sees the answer at a position: A to Z, then AA, AB..."""
    first, last = divmod(position, 26)
    return (chr(ord("A") + first - 1) if first else "") + chr(ord("A") + last)


def contents(messages: Sequence[Message]) -> list[str]:
    """Return the texts of the messages."""
    return [message["content"] for message in messages]


def fenced(mark: str, messages: Sequence[Message], answers: Sequence[str], references: Sequence[str] = ()) -> str:
    """Return the request, its right answers if they are known, and its answers, each after a line that begins with the mark."""
    parts = [f"{mark} request\n{dialogue_text(messages)}"]
    parts += [f"{mark} reference {number}\n{text}" for number, text in enumerate(references, start=1) if text]
    parts += [f"{mark} answer {label(position)}\n{text}" for position, text in enumerate(answers)]
    return "\n".join([*parts, f"{mark} end"])


def dialogue_text(messages: Sequence[Message]) -> str:
    """Return the messages before the answer as one text; a single question stands without its role."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)
