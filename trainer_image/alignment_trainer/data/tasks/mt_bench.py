"""Reads MT-Bench's questions and reference answers, as their authors' files have them."""

from typing import Any, NamedTuple

from alignment_trainer.forms.form import Row, shown_columns
from alignment_trainer.forms.texts import text_of, whole_text
from alignment_trainer.reading.bad_row import BadRow


class TurnsOfQuestion(NamedTuple):
    """What the user says in turn, and what would be right."""

    id: str
    category: str
    turns: tuple[str, ...]
    references: tuple[str, ...]
    """What the row itself calls right, for each turn or for none; MT-Bench has an empty text where it calls nothing right.
    In an open task, what judges see (evaluation/judged/right_answers.py)."""


class ReferenceAnswer(NamedTuple):
    """The answers of a strong model to one question."""

    id: str
    turns: tuple[str, ...]


def read_turns(row: Row) -> TurnsOfQuestion:
    """Read question_id, category and turns, and reference where there is one."""
    for column in ("question_id", "category", "turns"):
        if column not in row:
            raise BadRow(
                f"has no {column}; a row of MT-Bench has question_id, category and turns, but this has {shown_columns(row)}"
            )
    turns = _texts(row["turns"], "turns")
    references = _list(row["reference"], "reference") if row.get("reference") else ()
    if references and len(references) != len(turns):
        raise BadRow(f"reference has {len(references)} texts, and turns has {len(turns)}; give one for each turn, or none")
    return TurnsOfQuestion(_id(row), text_of(row, "category"), turns, references)


def read_reference(row: Row) -> ReferenceAnswer:
    """Read question_id and the turns of the first of choices."""
    if "question_id" not in row or "choices" not in row:
        raise BadRow(f"is no reference answer; it needs question_id and choices, but has {shown_columns(row)}")
    choices = row["choices"]
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict) or "turns" not in choices[0]:
        raise BadRow("choices must be a list whose first object has turns; correct it")
    return ReferenceAnswer(_id(row), _texts(choices[0]["turns"], "choices[0].turns"))


def _id(row: Row) -> str:
    value = row["question_id"]
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise BadRow("question_id must be a number or a text that is not empty; correct it")
    return str(value)


def _texts(values: Any, column: str) -> tuple[str, ...]:
    texts = _list(values, column)
    return tuple(text_of({f"{column}[{place}]": text}, f"{column}[{place}]") for place, text in enumerate(texts))


def _list(values: Any, column: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise BadRow(f"{column} must be a list of texts that is not empty; correct it")
    return tuple(whole_text(value, f"{column}[{place}]") for place, value in enumerate(values))
