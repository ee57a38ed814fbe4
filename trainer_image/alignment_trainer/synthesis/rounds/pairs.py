"""Makes a pair of a teacher's and a student's answer to the same messages, or says why there is none; pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from alignment_trainer.endpoints.question import Answer, Message, Unanswered

_USUAL_ENDS = ("</s>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "<eos>")
"""What models of well-known families end answers with; a server may pass it on as text."""
_LABEL = re.compile(r"\s*(?:assistant|answer|response|output)\s*:", re.IGNORECASE)
_SHORTEST_ECHO = 12
"""Letters and digits of a question; a shorter one may well begin a good answer."""

REMARKS = tuple(f"{name}{what}" for name in ("teacher", "student") for what in ("EchoStripped", "EndStripped", "CutKept"))
"""What is counted of pairs that are learned; all other counts are reasons why there is no pair."""


@dataclass(frozen=True)
class PairPolicy:
    """What becomes of answers."""

    keeps_cut: bool
    ends: tuple[str, ...]
    """The texts of the student's end tokens."""


class Cleaned(NamedTuple):
    """An answer as it is learned, and what was removed from it."""

    text: str
    was_echo: bool = False
    had_end: bool = False


class StudentPair(NamedTuple):
    """The two answers of a pair, and what is counted about them."""

    chosen: str
    rejected: str
    remarks: tuple[str, ...]


class Dropped(NamedTuple):
    """Why two answers make no pair."""

    reason: str


def pair_of(
    messages: Sequence[Message], teacher: Answer | Unanswered, student: Answer | Unanswered, policy: PairPolicy
) -> StudentPair | Dropped:
    """Return the pair of a question; the first reason against it is the one that is counted."""
    if isinstance(teacher, Unanswered):
        return Dropped("teacherUnanswered")
    if isinstance(student, Unanswered):
        return Dropped("studentUnanswered")
    cut = [name for name, answer in (("teacherCut", teacher), ("studentCut", student)) if answer.finish != "stop"]
    if cut and not policy.keeps_cut:
        return Dropped(cut[0])
    question = messages[-1]["content"]
    chosen, rejected = (cleaned(answer.text, question, policy.ends) for answer in (teacher, student))
    for name, answer in (("teacher", chosen), ("student", rejected)):
        if not answer.text:
            return Dropped(f"{name}Echo" if answer.was_echo else f"{name}Empty")
    if normalised(chosen.text) == normalised(rejected.text):
        return Dropped("identical")
    echoes = [f"{name}EchoStripped" for name, answer in (("teacher", chosen), ("student", rejected)) if answer.was_echo]
    ends = [f"{name}EndStripped" for name, answer in (("teacher", chosen), ("student", rejected)) if answer.had_end]
    return StudentPair(chosen.text, rejected.text, (*echoes, *ends, *(f"{name}Kept" for name in cut)))


def row_of(messages: Sequence[Message], pair: StudentPair, provenance: dict[str, Any]) -> dict[str, Any]:
    """Return a pair as a row of the form that later stages read."""
    return {
        "prompt": [dict(message) for message in messages],
        "chosen": [{"role": "assistant", "content": pair.chosen}],
        "rejected": [{"role": "assistant", "content": pair.rejected}],
        "provenance": provenance,
    }


def cleaned(text: str, question: str, ends: Sequence[str]) -> Cleaned:
    """Return an answer without the question that it repeats and without written end tokens: the chat template ends both alike."""
    without_end = text.strip()
    while end := next((end for end in (*ends, *_USUAL_ENDS) if end and without_end.endswith(end)), None):
        without_end = without_end.removesuffix(end).rstrip()
    rest = _after_echo(without_end, question)
    return Cleaned(without_end if rest is None else rest, rest is not None, without_end != text.strip())


def normalised(text: str) -> str:
    """Return what two texts are compared by: without case, spaces, and the form of their letters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _after_echo(text: str, question: str) -> str | None:
    """Return what follows the repeated question; None where the answer does not begin with it."""
    wanted = [sign for sign in question.casefold() if sign.isalnum()]
    if len(wanted) < _SHORTEST_ECHO:
        return None
    found = 0
    for position, sign in enumerate(text):
        if not sign.isalnum():
            continue
        # One letter may fold to two, such as ß.
        for folded in sign.casefold():
            if found < len(wanted) and folded != wanted[found]:
                return None
            found += 1
        if found >= len(wanted):
            return _LABEL.sub("", text[position + 1 :].lstrip(" \t.?!:\n\r"), count=1).strip()
    return None
