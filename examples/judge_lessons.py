"""What the example's judge learns from: questions in the form that alignment_trainer.judging asks them, with true verdicts."""

import asyncio
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.spec.endpoints import Endpoint
from alignment_trainer.endpoints.question import Answer, Message, Question, SamplingSettings, Server, Unanswered
from alignment_trainer.judging.aspects import ASPECTS, OVERALL, judge_aspects, shown_order
from alignment_trainer.judging.material import label
from alignment_trainer.judging.pairwise import compare
from make_tiny import POLITE, RUDE
from tiny_task import Asked, Quality

_NOWHERE = Server("", Endpoint(base_url="http://nowhere", model="judge"))
_SAMPLING = SamplingSettings(temperature=0, top_p=1, maximum_tokens=1)
_REASONS: dict[Quality, str] = {
    "Polite": "true and polite", "Plain": "true", "Rude": "true but rude", "False": "not true", "Off": "no answer",
}  # fmt: skip
_RATINGS: dict[str, dict[Quality, tuple[int, str]]] = {
    "InstructionFollowing": {
        "Polite": (5, "None"), "Plain": (5, "None"), "Rude": (5, "None"), "False": (5, "None"), "Off": (1, "Ignored"),
    },
    "Truthfulness": {
        "Polite": (5, "None"), "Plain": (5, "None"), "Rude": (5, "None"), "False": (1, "False"), "Off": (1, "Invented"),
    },
    "Honesty": {
        "Polite": (5, "None"), "Plain": (5, "None"), "Rude": (5, "None"), "False": (1, "TooSure"), "Off": (1, "TooSure"),
    },
    "Helpfulness": {
        "Polite": (5, "None"), "Plain": (4, "None"), "Rude": (2, "Padded"), "False": (1, "Incomplete"), "Off": (1, "Unclear"),
    },
    "Overall": {
        "Polite": (10, "None"), "Plain": (8, "None"), "Rude": (5, "Use"), "False": (2, "Truth"), "Off": (1, "Instruction"),
    },
}  # fmt: skip
_RANKS: dict[Quality, int] = {"Polite": 4, "Plain": 3, "Rude": 2, "False": 1, "Off": 0}


class Lesson(NamedTuple):
    """A judge's question and the true reply."""

    question: str
    reply: str


def draw_answers(draw: random.Random, asked: Asked, sampled: Sequence[str], count: int) -> list[str]:
    """Draw answers of every quality: made ones, and those that models have sampled."""
    others = [text for _ in range(2) for text in (asked.right, asked.right, draw.choice(asked.wrong))]
    made = [draw.choice([*POLITE, *POLITE, *RUDE, *RUDE, "{}"]).format(draw.choice(others)) for _ in range(count)]
    # the empty text, too: it must not win
    return [draw.choice([*sampled, "", answer, answer, answer]) for answer in made]


def lesson(draw: random.Random, asked: Asked, answers: list[str]) -> Lesson:
    """Return a question about answers: which of two is better, or one aspect of all."""
    seed = draw.randrange(10_000)
    if len(answers) == 2 and draw.random() < 0.7:
        return _pairwise(asked, answers, seed, draw.random() < 0.5)
    return _aspect(asked, answers, draw.choice([*ASPECTS, OVERALL]), seed)


def demand_lines() -> set[str]:
    """Return the pieces of text that all questions of one kind to a judge have in common, but for the mark."""
    asked = [Asked("What?", "So.", ("No.",)), Asked("Why?", "Then.", ("Never.",))]
    lines: set[str] = set()
    for count in (2, 3, 4):
        for aspect in (*ASPECTS, OVERALL):
            lines |= _shared([_aspect(one, [f"{one.right} {place}" for place in range(count)], aspect, 1) for one in asked])
    return lines | _shared([_pairwise(one, [one.right, one.wrong[0]], 1, False) for one in asked])


def _shared(lessons: list[Lesson]) -> set[str]:
    pieces = [set(re.split(rf"\n|{_mark(found.question)}", found.question)) for found in lessons]
    return {piece for piece in set.intersection(*pieces) if len(piece) > 12 and "=?" not in piece}


def _aspect(asked: Asked, answers: list[str], aspect: str, seed: int) -> Lesson:
    messages = [Message(role="user", content=asked.question)]
    heard = _Heard()
    asyncio.run(judge_aspects(heard, _NOWHERE, _SAMPLING, messages, answers, [aspect], seed))
    (question,) = heard.questions
    shown = [asked.quality(text) for text in shown_order(seed, aspect, messages, answers)]
    rated = [_RATINGS[aspect][quality] for quality in shown]
    lines = [f"{label(place)}: {kind}: {_REASONS[shown[place]]}." for place, (_, kind) in enumerate(rated)]
    verdict = " ".join(f"{label(place)}={rating}" for place, (rating, _) in enumerate(rated))
    return Lesson(question, "\n".join([*lines, f"{_mark(question)} {verdict}"]))


def _pairwise(asked: Asked, answers: list[str], seed: int, is_swapped: bool) -> Lesson:
    messages = [Message(role="user", content=asked.question)]
    heard = _Heard()
    asyncio.run(compare(heard, _NOWHERE, _SAMPLING, messages, answers[0], answers[1], seed))
    question = heard.questions[is_swapped]
    first, second = (asked.quality(answer) for answer in (reversed(answers) if is_swapped else answers))
    best = "Tie" if first == second else "A" if _RANKS[first] > _RANKS[second] else "B"
    return Lesson(question, f"A is {_REASONS[first]}. B is {_REASONS[second]}.\n{_mark(question)} best={best}")


def _mark(question: str) -> str:
    """Return the mark of the line that a judge must end with, which is the question's last."""
    return question.splitlines()[-1].split()[0]


class _Heard:
    """Hears questions to a judge, and answers none of them."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        self.questions.append(question.messages[0]["content"])
        return Unanswered("NotAsked", "Only the question was wanted.")
