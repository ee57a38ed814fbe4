"""Makes a pair of a teacher's and a student's answer to the same messages, or says why there is none; pure."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from alignment_trainer.endpoints.question import Answer, Message, Unanswered
from alignment_trainer.synthesis.rounds.echoes import after_echo
from alignment_trainer.synthesis.rounds.templates import row_within

_USUAL_ENDS = ("</s>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "<eos>")
"""What models of well-known families end answers with; a server may pass it on as text."""

REMARKS = tuple(f"{name}{what}" for name in ("teacher", "student") for what in ("EchoStripped", "EndStripped", "CutKept"))
"""What is counted of pairs that are learned; all other counts are reasons why there is no pair."""


@dataclass(frozen=True)
class PairPolicy:
    """What becomes of answers."""

    keeps_cut: bool
    ends: tuple[str, ...]
    """The texts of the student's end tokens."""
    template: str | None = None
    """What the row of a question is asked within."""


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
    # A model may repeat the row alone, such as the code that it is asked about.
    questions = [question, row_within(question, policy.template)]
    chosen, rejected = (cleaned(answer.text, questions, policy.ends) for answer in (teacher, student))
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


def cleaned(text: str, questions: Sequence[str], ends: Sequence[str]) -> Cleaned:
    """Return an answer without the question that it repeats and without written end tokens: the chat template ends both alike."""
    without_end = text.strip()
    while end := next((end for end in (*ends, *_USUAL_ENDS) if _is_written_end(without_end, end)), None):
        without_end = without_end.removesuffix(end).rstrip()
    rests = (after_echo(without_end, question) for question in questions)
    rest = next((rest for rest in rests if rest is not None), None)
    return Cleaned(without_end if rest is None else rest, rest is not None, without_end != text.strip())


def normalised(text: str) -> str:
    """Return what two texts are compared by: without case, spaces, and the form of their letters."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_written_end(text: str, end: str) -> bool:
    """Return whether a text ends with an end token, and not with HTML that strikes words out."""
    is_html = end == "</s>" and text.count("<s>") >= text.count("</s>")
    return bool(end) and text.endswith(end) and not is_html
