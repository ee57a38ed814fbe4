"""Makes one pair of the scored answers to a prompt, or says why there is none; the order of the answers does not matter."""

import json
import random
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, Literal, NamedTuple

from alignment_trainer.forms.pairs.judged import Scored
from alignment_trainer.settings.feedback import PairSettings

WhyNone = Literal["few_answers", "unscored", "identical_answers", "tie", "small_margin"]
"""few_answers: fewer than two have a text; unscored: fewer than two of them have the scores that they need; identical_answers:
these are all the same text; tie and small_margin: no other answer differs in its score from the best one, or by enough."""

_DECIMALS = 9
"""Scores have few decimals, but their differences as floating-point numbers have many."""


class Ranked(NamedTuple):
    """An answer and the score that orders it."""

    answer: Scored
    score: float


class ScoredPair(NamedTuple):
    """Two answers of which the first has the higher score, or the same one where ties are kept."""

    chosen: Ranked
    rejected: Ranked

    @property
    def margin(self) -> float:
        """Return by how much the scores differ."""
        return round(self.chosen.score - self.rejected.score, _DECIMALS)


def pair_of(key: str, answers: Sequence[Scored], settings: PairSettings) -> ScoredPair | WhyNone:
    """Return the pair of a prompt; the prompt's key and the seed draw what is left to chance."""
    if why := why_not_judged([answer.text for answer in answers]):
        return why
    scored = [
        Ranked(answer, score) for answer in answers if answer.text.strip() and (score := score_of(answer, settings)) is not None
    ]
    if len(scored) < 2:
        return "unscored"
    ranked = _ranked(key, scored, settings.seed)
    if len(ranked) < 2:
        return "identical_answers"
    best, *others = ranked
    return _first_that_fits(
        [ScoredPair(best, other) for other in _CANDIDATES[settings.rejected](others, key, settings)], settings
    )


def why_not_judged(texts: Sequence[str]) -> WhyNone | None:
    """Return why answers can give no pair, whatever their scores."""
    given = [_plain(text) for text in texts if text.strip()]
    if len(given) < 2:
        return "few_answers"
    return None if len(set(given)) > 1 else "identical_answers"


def score_of(answer: Scored, settings: PairSettings) -> float | None:
    """Return the score that orders an answer; None if it lacks scores that it needs."""
    if settings.score == "Overall":
        return answer.overall
    scores = [answer.aspects[aspect] for aspect in settings.aspects if aspect in answer.aspects]
    is_enough = scores if settings.missing_aspects == "MeanOfRest" else len(scores) == len(settings.aspects)
    return fmean(scores) if is_enough else None


def _ranked(key: str, scored: list[Ranked], seed: int) -> list[Ranked]:
    """Return the answers from the best to the worst, each text once; chance orders those of the same score."""
    # Sorted first, so that chance meets the answers in the same order however they came.
    drawn = sorted(scored, key=_identity)
    random.Random(f"{seed}/{key}/equals").shuffle(drawn)
    once: dict[str, Ranked] = {}
    for one in drawn:
        once.setdefault(_plain(one.answer.text), one)
    return sorted(once.values(), key=lambda one: -one.score)


def _identity(one: Ranked) -> tuple[Any, ...]:
    answer = one.answer
    others = json.dumps([answer.text, dict(answer.aspects), dict(answer.about)], sort_keys=True)
    return _plain(answer.text), answer.model, one.score, others


def _plain(text: str) -> str:
    return " ".join(text.split())


def _shuffled(others: list[Ranked], key: str, settings: PairSettings) -> list[Ranked]:
    return random.Random(f"{settings.seed}/{key}/rejected").sample(others, len(others))


_CANDIDATES: dict[str, Callable[[list[Ranked], str, PairSettings], list[Ranked]]] = {
    # Random goes on to the next answer where the drawn one is as good as the best: the others still teach something.
    "Random": _shuffled,
    "Worst": lambda others, key, settings: others[-1:],
    "Second": lambda others, key, settings: others[:1],
}


def _first_that_fits(pairs: list[ScoredPair], settings: PairSettings) -> ScoredPair | WhyNone:
    smallest = settings.minimum_margin
    for pair in pairs:
        if pair.margin >= smallest and (pair.margin or settings.ties == "Keep"):
            return pair
    return "small_margin" if any(pair.margin for pair in pairs) or settings.ties == "Keep" else "tie"
