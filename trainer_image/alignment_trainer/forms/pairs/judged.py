"""Reads all answers of a row in the form of UltraFeedback, with the scores that a judge has given them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic.alias_generators import to_pascal

from alignment_trainer.forms.form import Row, has_columns, shown_columns
from alignment_trainer.forms.numbers import number_of
from alignment_trainer.forms.pairs.rated import ASPECTS, NOT_RATED, objects_in
from alignment_trainer.forms.texts import optional_text, text_of, whole_text
from alignment_trainer.reading.bad_row import BadRow

FORM = "UltraFeedback"
_OVERALL = "Overall"
"""The judgement of an answer as a whole: `judged.jsonl` of a stage has it beside the aspects, and UltraFeedback has none."""
_HIGHEST = {**dict.fromkeys(ASPECTS, 5), "overall": 10}
"""The highest rating of each annotation; the lowest is 1."""
_COLUMNS = ("instruction", "completions")


@dataclass(frozen=True)
class Scored:
    """An answer with what a judge gave it."""

    model: str
    text: str
    aspects: Mapping[str, float]
    """The score of each aspect that has one, by its name in a job; an aspect without a score is missing, and has no default."""
    overall: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    """How the answer was made, for the row that is written of it."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a score is missing, by its aspect, where a judge was asked for it."""


def judged_answers(row: Row, *, needs_overall: bool = False) -> list[Scored]:
    """Return the answers of a row with their scores; raise BadRow if the row has another form."""
    if not has_columns(row, _COLUMNS):
        raise BadRow(f"has no {' and '.join(_COLUMNS)}, as judged rows in the form of {FORM} do, but {shown_columns(row)}")
    text_of(row, "instruction")
    answers = [_scored(one, place) for place, one in objects_in(row["completions"], "completions")]
    if needs_overall and answers and not any(answer.overall or _OVERALL in answer.missing for answer in answers):
        raise BadRow(
            f"has no annotations.overall, which score: Overall orders answers by ({FORM}'s overall_score is not used, since it "
            "is 10 for some answers that were rated 1); set score to MeanOfAspects"
        )
    return answers


def _scored(one: dict[str, Any], place: str) -> Scored:
    annotations = one.get("annotations")
    if not isinstance(annotations, dict):
        raise BadRow(f"{place}.annotations must be an object with {', '.join(ASPECTS)}; correct it")
    found = {name: _rating(annotations[name], highest) for name, highest in _HIGHEST.items() if name in annotations}
    ratings = {to_pascal(name): rating for name, rating in found.items() if not isinstance(rating, str)}
    about = {"baseUrl": optional_text(one, "base_url"), "principle": optional_text(one, "principle")}
    return Scored(
        model=optional_text(one, "model"),
        text=whole_text(one.get("response"), f"{place}.response"),
        overall=ratings.pop(_OVERALL, None),
        aspects=ratings,
        missing={to_pascal(name): why for name, why in found.items() if isinstance(why, str)},
        about={name: value for name, value in about.items() if value},
    )


def _rating(given: Any, highest: int) -> float | str:
    """Return the rating of an annotation, or why it has none: a judge may fail, and the row has other answers."""
    annotation = given[0] if isinstance(given, list) and len(given) == 1 else given
    value = annotation.get("Rating") if isinstance(annotation, dict) else annotation
    written = "" if value is None else str(value).strip().upper()
    if written in ("", NOT_RATED):
        # A stage's own judged.jsonl says why.
        told = annotation.get("Missing") if isinstance(annotation, dict) else None
        return str(told or ("NotApplicable" if written else "NoRating"))
    try:
        number = number_of(value, "Rating")
    except BadRow:
        return "WrongValue"
    return number if 1 <= number <= highest else "OutOfRange"
