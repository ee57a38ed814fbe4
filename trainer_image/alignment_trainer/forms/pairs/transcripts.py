"""Reads transcripts as HH-RLHF writes them: `\n\nHuman: ...\n\nAssistant: ...` in one text."""

import re

from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Message

_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_BEGINNING = re.compile(r"\s*Human:")
_OPEN_END = re.compile(r"\n\nAssistant:\s*\Z")


def is_transcript(text: object) -> bool:
    """Return whether a text begins with what a human says, and an assistant speaks in it."""
    return isinstance(text, str) and bool(_BEGINNING.match(text)) and "\n\nAssistant:" in text


def is_open_transcript(text: object) -> bool:
    """Return whether a text is a transcript that ends where the assistant is to speak."""
    return is_transcript(text) and bool(_OPEN_END.search(str(text)))


def turns_of(transcript: str) -> list[Message]:
    """Read the turns of a transcript; leave the row out if human and assistant do not take turns."""
    before, *pieces = _SPEAKER.split(transcript)
    turns = [{"role": _ROLES[speaker], "content": said.strip()} for speaker, said in zip(pieces[::2], pieces[1::2], strict=True)]
    expected = ["user", "assistant"] * (len(turns) // 2 + 1)
    if before.strip() or not turns or [turn["role"] for turn in turns] != expected[: len(turns)]:
        raise LeftOut("unpaired")
    return turns


def prompt_of(transcript: str) -> list[Message]:
    """Read the turns of a transcript without the assistant's turn that is still to come."""
    return turns_of(_OPEN_END.sub("", transcript))
