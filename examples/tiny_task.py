"""The small task that the example's teacher, student and judge work on: its questions, and how good an answer is in truth."""

import itertools
import zlib
from typing import Literal, NamedTuple

from make_tiny import COLOURS, HOMES, POLITE, RUDE, SOUNDS, facts

OPENINGS = (
    "{}", "Please tell me: {}", "One question: {}", "I wonder: {}", "My friend asks: {}", "For a quiz: {}", "Help me: {}",
    "Quickly: {}",
)  # fmt: skip
_SHARES = 8

Part = Literal["Training", "Development", "Test"]
"""What trains the models of the studies, what their settings were chosen on, and what only measures them."""
Quality = Literal["Polite", "Plain", "Rude", "False", "Off"]
"""A right answer in its three tones, a wrong statement about what was asked, and anything else."""


class Asked(NamedTuple):
    """A question with its right answer, and the wrong statements about the same thing."""

    question: str
    right: str
    wrong: tuple[str, ...]

    @property
    def part(self) -> Part:
        """Return what the question is for: of eight questions one is for development, and two are for tests."""
        share = zlib.crc32(self.question.encode()) % _SHARES
        return "Development" if share == 0 else "Test" if share <= 2 else "Training"

    @property
    def is_held_out(self) -> bool:
        """Return whether the question is only for judging a student, who learns from all others."""
        return self.part == "Development"

    def quality(self, answer: str) -> Quality:
        """Return how good an answer is in truth."""
        tones: dict[str, Quality] = {"{}": "Plain", **dict.fromkeys(POLITE, "Polite"), **dict.fromkeys(RUDE, "Rude")}
        for tone, quality in tones.items():
            if answer == tone.format(self.right):
                return quality
            if answer in map(tone.format, self.wrong):
                return "False"
        return "Off"


def all_asked() -> list[Asked]:
    """Return each question in each of its forms."""
    wrong = _wrong_statements()
    return [
        Asked(opening.format(question), right, wrong[right])
        for questions, right in facts()
        for question in questions
        for opening in OPENINGS
    ]


def _wrong_statements() -> dict[str, tuple[str, ...]]:
    """Return the wrong statements beside each right one."""
    found: dict[str, tuple[str, ...]] = {}
    for form, table in (("A {} is {}.", COLOURS), ("A {} says {}.", SOUNDS), ("A {} lives in {}.", HOMES)):
        for subject, value in table.items():
            others = sorted(set(table.values()) - {value})
            found[form.format(subject, value)] = tuple(form.format(subject, other) for other in others)
    for one, two in itertools.product(range(1, 4), repeat=2):
        numbers = [number for number in range(2, 7) if number != one + two]
        found[f"{one} plus {two} is {one + two}."] = tuple(f"{one} plus {two} is {number}." for number in numbers)
    return found
