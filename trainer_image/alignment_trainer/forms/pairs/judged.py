"""Reads all answers of a row in the form of UltraFeedback, with the scores that a judge has given them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic.alias_generators import to_pascal

from alignment_trainer.forms.form import Row, has_columns, shown_columns
from alignment_trainer.forms.pairs.rated import objects_in, rating_of, ratings_of
from alignment_trainer.forms.texts import optional_text, text_of, whole_text
from alignment_trainer.reading.bad_row import BadRow

FORM = "UltraFeedback"
OVERALL = "overall"
"""The judgement of an answer as a whole: `judged.jsonl` of a stage has it beside the aspects, and UltraFeedback has none."""
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


def judged_answers(row: Row, *, needs_overall: bool = False) -> list[Scored]:
    """Return the answers of a row with their scores; raise BadRow if the row has another form."""
    if not has_columns(row, _COLUMNS):
        raise BadRow(f"has no {' and '.join(_COLUMNS)}, as judged rows in the form of {FORM} do, but {shown_columns(row)}")
    text_of(row, "instruction")
    answers = objects_in(row["completions"], "completions")
    if needs_overall and answers and not any(OVERALL in (one.get("annotations") or {}) for _, one in answers):
        raise BadRow(
            f"has no annotations.{OVERALL}, which score: Overall orders answers by ({FORM}'s overall_score is not used, since it "
            "is 10 for some answers that were rated 1); set score to MeanOfAspects"
        )
    return [_scored(one, place) for place, one in answers]


def _scored(one: dict[str, Any], place: str) -> Scored:
    ratings = ratings_of(one.get("annotations"), f"{place}.annotations")
    about = {"baseUrl": optional_text(one, "base_url"), "principle": optional_text(one, "principle")}
    return Scored(
        model=optional_text(one, "model"),
        text=whole_text(one.get("response"), f"{place}.response"),
        aspects={to_pascal(aspect): rating for aspect, rating in ratings.items()},
        overall=rating_of(one["annotations"].get(OVERALL), f"{place}.annotations.{OVERALL}"),
        about={name: value for name, value in about.items() if value},
    )
