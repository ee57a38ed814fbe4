"""Reads rows with several answers, each with a rank or with ratings: the best one against another."""

import hashlib
import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.form import Form, Row
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.numbers import number_of
from alignment_trainer.forms.pairs.shared_start import answered, said
from alignment_trainer.forms.texts import whole_text
from alignment_trainer.reading.bad_row import BadRow

ASPECTS = ("instruction_following", "truthfulness", "honesty", "helpfulness")
"""What UltraFeedback's judge rates."""
NOT_RATED = "N/A"
"""What UltraFeedback has in place of a rating that is missing."""


class _Rated(NamedTuple):
    """An answer and how good it is; None if it has no rating."""

    answer: str
    score: float | None


def best_against_another(prompt: str, rated: Sequence[_Rated]) -> Pair:
    """Return the best answer and one of those below it, drawn by a hash of the texts, so that it is always the same one."""
    usable = [one for one in rated if one.score is not None]
    scores = [one.score for one in usable if one.score is not None]
    if len(set(scores)) < 2:
        raise LeftOut("undecided")
    best = usable[scores.index(max(scores))]
    worse = [one for one, score in zip(usable, scores, strict=True) if score < max(scores)]
    return Pair(said(prompt), answered(best.answer), answered(worse[_draw(prompt, rated, len(worse))].answer))


def _draw(prompt: str, rated: Sequence[_Rated], count: int) -> int:
    texts = json.dumps([prompt, *(one.answer for one in rated)]).encode()
    return int.from_bytes(hashlib.blake2b(texts, digest_size=8).digest()) % count


def _ranked(row: Row) -> Pair:
    """Read Nectar's answers: rank 1 is the best."""
    answers = [
        _Rated(whole_text(one.get("answer"), f"{place}.answer"), -number_of(one.get("rank"), f"{place}.rank"))
        for place, one in objects_in(row["answers"], "answers")
    ]
    return best_against_another(whole_text(row["prompt"], "prompt"), answers)


def _annotated(row: Row) -> Pair:
    """Read UltraFeedback's completions; their overall_score is not used, since it is 10 for some answers rated 1."""
    answers = [
        _Rated(whole_text(one.get("response"), f"{place}.response"), _mean_rating(one.get("annotations"), f"{place}.annotations"))
        for place, one in objects_in(row["completions"], "completions")
    ]
    return best_against_another(whole_text(row["instruction"], "instruction"), answers)


def _generations(row: Row) -> Pair:
    """Read distilabel's lists of generations and their ratings."""
    texts, ratings = row["generations"], row["ratings"]
    if not isinstance(texts, list) or not isinstance(ratings, list) or len(texts) != len(ratings):
        raise BadRow("generations and ratings must be two lists of the same length; correct them")
    answers = [
        _Rated(whole_text(text, f"generations[{index}]"), None if rating is None else number_of(rating, f"ratings[{index}]"))
        for index, (text, rating) in enumerate(zip(texts, ratings, strict=True))
    ]
    return best_against_another(whole_text(row["instruction"], "instruction"), answers)


def ratings_of(annotations: Any, place: str) -> dict[str, float]:
    """Return the rating of each of UltraFeedback's aspects that has one."""
    if not isinstance(annotations, dict):
        raise BadRow(f"{place} must be an object with {', '.join(ASPECTS)}; correct it")
    ratings = {aspect: _rating(annotations.get(aspect), f"{place}.{aspect}") for aspect in ASPECTS}
    return {aspect: rating for aspect, rating in ratings.items() if rating is not None}


def _score_of(value: Any, place: str) -> float | None:
    """Return a number, or None where a judge has given none."""
    return None if value is None or value == NOT_RATED else number_of(value, place)


def _mean_rating(annotations: Any, place: str) -> float | None:
    ratings = ratings_of(annotations, place)
    return fmean(ratings.values()) if ratings else None


def _rating(aspect: Any, place: str) -> float | None:
    """Read an aspect, an object with the text Rating, or a list with one such object."""
    if isinstance(aspect, list) and len(aspect) == 1:
        aspect = aspect[0]
    return _score_of(aspect.get("Rating") if isinstance(aspect, dict) else aspect, f"{place}.Rating")


def objects_in(value: Any, column: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects of a list, each with its place."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadRow(f"{column} must be a list of objects; correct it")
    return [(f"{column}[{index}]", one) for index, one in enumerate(value)]


RATED_FORMS = (
    Form("Nectar", ("prompt", "answers"), _ranked, fits=lambda row: isinstance(row["answers"], list)),
    Form("UltraFeedback", ("instruction", "completions"), _annotated, fits=lambda row: isinstance(row["completions"], list)),
    Form("rated generations", ("instruction", "generations", "ratings"), _generations),
)
