"""Grows seed tasks into new instructions, as self-instruct does: in rounds of requests that show some of those so far."""

import json
import math
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from alignment_api.files import without_torn_line

from alignment_trainer.endpoints.question import Answer, Ask, Question, Unanswered
from alignment_trainer.endpoints.together import all_ended
from alignment_trainer.failures import TooFewRows, UnusableAnswers
from alignment_trainer.settings.synthesis import DistillSettings
from alignment_trainer.synthesis.distilling.new_instructions import (
    IN_A_REPLY,
    TEMPLATE,
    asked_for_more,
    instructions_in,
    why_unfit,
)
from alignment_trainer.synthesis.distilling.similarity import KeptTexts
from alignment_trainer.synthesis.drawing import drawn_seed, shared
from alignment_trainer.synthesis.made import by_reason
from alignment_trainer.workspace.activity import Advance, advancing

_FILE = "instructions.jsonl"
_REQUESTS_AT_ONCE = 32
"""The requests of one round. They show what the rounds before have found, so the number is part of the result."""
_SHOWN_SEEDS, _SHOWN_NEW = 6, 2
"""As in the paper (arXiv 2212.10560): mostly tasks of people, so that models do not drift away from them."""
_MOST_BARREN_ROUNDS = 5
"""After so many rounds without a new instruction, more of them would only cost."""


@dataclass
class Grown:
    """The new instructions so far, and what became of the others and of the requests."""

    wanted: int
    instructions: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    barren_rounds: int = 0

    @property
    def is_done(self) -> bool:
        """Return whether there are enough of them, or nothing new comes."""
        return len(self.instructions) >= self.wanted or self.barren_rounds >= _MOST_BARREN_ROUNDS

    def add(self, one: "_Round") -> None:
        """Add what a round has found."""
        self.rounds += 1
        self.instructions += one.found
        self.dropped.update(one.dropped)
        self.unanswered.update(one.unanswered)
        self.barren_rounds = 0 if one.found else self.barren_rounds + 1


class _Round(NamedTuple):
    """What the requests of a round gave."""

    found: list[str]
    dropped: dict[str, int]
    unanswered: dict[str, int]


async def grow(settings: DistillSettings, seeds: list[str], folder: Path, ask: Ask) -> Grown:
    """Ask for new instructions until there are enough; the rounds of earlier attempts are read from the stage's folder."""
    assert settings.instructions is not None
    kept, grown = KeptTexts(settings.maximum_similarity), Grown(settings.instructions)
    for seed in seeds:
        kept.add(seed)
    for one in _earlier_rounds(folder / _FILE):
        grown.add(one)
        for text in one.found:
            kept.add(text)
    with advancing("writing new instructions", settings.instructions, "instructions") as advance:
        advance(len(grown.instructions))
        while not grown.is_done:
            await _grow_once(settings, seeds, grown, kept, folder / _FILE, ask, advance)
    if not grown.instructions:
        # All rounds are written down, so that another attempt would read the same.
        why = by_reason(grown.dropped) or "each reply was cut in its first one"
        raise UnusableAnswers(f"{settings.path}: the teachers wrote no usable instruction ({why})")
    return grown


async def _grow_once(
    settings: DistillSettings, seeds: list[str], grown: Grown, kept: KeptTexts, file: Path, ask: Ask, advance: Advance
) -> None:
    replies = await _replies(settings, seeds, grown, ask)
    unanswered = Counter(reply.reason for reply in replies if isinstance(reply, Unanswered))
    _check_unanswered(settings, grown, unanswered)
    found, dropped = _found([reply for reply in replies if isinstance(reply, Answer)], grown, kept)
    one = _Round(found, dropped, unanswered)
    _append(file, one)
    grown.add(one)
    advance(len(found))


def _found(answers: list[Answer], grown: Grown, kept: KeptTexts) -> tuple[list[str], Counter[str]]:
    """Return the new instructions, and why others are dropped; in the order of the requests, so that it is the same each time."""
    found: list[str] = []
    dropped: Counter[str] = Counter()
    for answer in answers:
        texts = instructions_in(answer.text, answer.finish == "length")
        if texts is None:
            dropped["no_list"] += 1
        for text in texts or ():
            why = why_unfit(text) or ("similar" if kept.has_similar(text) else None)
            if why:
                dropped[why] += 1
            elif len(grown.instructions) + len(found) < grown.wanted:
                kept.add(text)
                found.append(text)
    return found, dropped


def _check_unanswered(settings: DistillSettings, grown: Grown, unanswered: Counter[str]) -> None:
    """Fail if too few requests got a usable answer; the round is not written down, and the next attempt asks for what failed."""
    failed = grown.unanswered + unanswered
    # As many as there will be at least: a few early failures are no large share.
    requests = max((grown.rounds + 1) * _REQUESTS_AT_ONCE, math.ceil(grown.wanted / IN_A_REPLY))
    if unanswered.total() == _REQUESTS_AT_ONCE:
        many = f"none of {_REQUESTS_AT_ONCE} requests for new instructions has a usable answer ({by_reason(unanswered)})"
    elif failed.total() > settings.maximum_failed_share * requests:
        many = (
            f"{failed.total()} of {requests} requests for new instructions have no usable answer ({by_reason(failed)}), "
            f"more than maximumFailedShare {settings.maximum_failed_share:g}"
        )
    else:
        return
    raise TooFewRows(f"{settings.path}: {many}; all answers are kept, and the next attempt asks for the others")


async def _replies(settings: DistillSettings, seeds: list[str], grown: Grown, ask: Ask) -> list[Answer | Unanswered]:
    """Ask all requests of a round."""
    numbers = range(grown.rounds * _REQUESTS_AT_ONCE, (grown.rounds + 1) * _REQUESTS_AT_ONCE)
    return await all_ended(_ask_for_more(settings, seeds, grown.instructions, number, ask) for number in numbers)


async def _ask_for_more(
    settings: DistillSettings, seeds: list[str], new: list[str], number: int, ask: Ask
) -> Answer | Unanswered:
    draw = random.Random(f"{settings.seed}/{number}")
    few = draw.sample(new, min(_SHOWN_NEW, len(new)))
    shown = [*draw.sample(seeds, min(_SHOWN_SEEDS + _SHOWN_NEW - len(few), len(seeds))), *few]
    draw.shuffle(shown)
    teacher = shared(settings.teachers, settings.seed, f"instructions {number}")
    seed = drawn_seed(settings.seed, "instructions", number)
    return await ask(teacher, Question(asked_for_more(shown), settings.sampling, seed, template=TEMPLATE))


def _append(file: Path, one: _Round) -> None:
    """Write a round down, also what failed: asked again, a request might succeed, and all later ones would show other tasks."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(one._asdict()) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def _earlier_rounds(file: Path) -> list[_Round]:
    """Read the whole rounds of earlier attempts; a torn one is asked for again, and its answers are kept."""
    without_torn_line(file)
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [_Round(**json.loads(line)) for line in lines]
