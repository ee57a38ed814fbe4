"""How new instructions are asked for, read from a reply, and found to be unanswerable."""

import hashlib
import re
from collections.abc import Sequence

from alignment_trainer.endpoints.question import Message

IN_A_REPLY = 8
"""How many instructions one reply is asked for."""

_ASK = """Here are tasks that people have given to a chat assistant, one in each block:

{shown}

Write {count} new tasks for the same assistant. Each of them
- is about another subject than the ones above and than the others that you write, and asks for another kind of work where it can,
- can be done by writing alone: without images, sound, links, files, or actions outside of the conversation,
- contains everything that is needed to do it, such as the text to be translated,
- is written as a person would write it.

Write them as a numbered list, 1. to {count}., and nothing else."""

TEMPLATE = hashlib.sha256(_ASK.encode()).hexdigest()[:16]

_ITEM = re.compile(r"^\s*\d{1,3}[.)]\s+", re.MULTILINE)
_FEWEST_WORDS, _MOST_WORDS = 3, 150
_MEDIUM = r"(?:image|picture|photo|photograph|screenshot|video|audio|recording|graph|chart|diagram|map|painting|song|file)s?"
_UNANSWERABLE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # What somebody would have to look at, listen to or open,
        rf"\b(?:this|these|following|given|attached|above|below|shown)\s+(?:\w+\s+)?{_MEDIUM}\b",
        rf"\b{_MEDIUM}\s+(?:above|below|attached|shown)\b",
        r"\battach(?:ed|ment)s?\b|\bscreenshots?\b|\b(?:down|up)load\b",
        r"https?://|\bwww\.|\b(?:click|tap)\b|\b(?:visit|open|go to)\s+(?:\w+\s+)?(?:web\s?site|web\s?page|link|url)\b",
        # or make in another form than text.
        r"\b(?:draw|sketch|paint|photograph|film)\s+(?:me\s+)?(?:an?|the|some|my)\b",
        rf"\b(?:create|make|generate|produce|take|show|record|send)\s+(?:me\s+)?(?:an?|the|some)\s+(?:\w+\s+)?{_MEDIUM}\b",
    )
)


def asked_for_more(shown: Sequence[str]) -> tuple[Message, ...]:
    """Return what a teacher is asked for new instructions, with others as examples."""
    blocks = "\n\n".join(f"<task>\n{text.strip()}\n</task>" for text in shown)
    return ({"role": "user", "content": _ASK.format(shown=blocks, count=IN_A_REPLY)},)


def instructions_in(reply: str, is_cut: bool) -> list[str]:
    """Return the instructions of a numbered list; the last one is incomplete if the reply was cut."""
    _, *items = _ITEM.split(reply)
    found = [item.strip() for item in items]
    return [item for item in (found[:-1] if is_cut else found) if item]


def why_unfit(instruction: str) -> str | None:
    """Return why nobody should be asked an instruction, as one word; None if it is fit."""
    if not _FEWEST_WORDS <= len(instruction.split()) <= _MOST_WORDS:
        return "length"
    return "unanswerable" if any(pattern.search(instruction) for pattern in _UNANSWERABLE) else None
