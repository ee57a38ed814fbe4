"""Reads a question with one reference answer or several, with which a model's answer is compared."""

from typing import NamedTuple

from alignment_trainer.data.openings import read_opening
from alignment_trainer.endpoints.question import Message
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.messages import said
from alignment_trainer.forms.rows import read_dialogue
from alignment_trainer.forms.texts import text_of
from alignment_trainer.reading.bad_row import BadRow

_COLUMNS = ("references", "reference")


class Referenced(NamedTuple):
    """What a model is asked, and answers that are right."""

    messages: tuple[Message, ...]
    references: tuple[str, ...]


def read_references(row: Row) -> Referenced:
    """Read a question with the column reference or references, or a dialogue, whose first answer is then the reference."""
    column = next((column for column in _COLUMNS if row.get(column) is not None), None)
    if column is None:
        return Referenced(read_opening(row).messages, (_first_answer(row),))
    question = {name: value for name, value in row.items() if name not in _COLUMNS}
    return Referenced(read_opening(question).messages, _texts(row[column], column))


def _texts(value: object, column: str) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise BadRow(f"{column} is empty; add an answer that is right, or remove the row")
    return tuple(text_of({place: text}, place) for place, text in zip(_places(texts, column), texts, strict=True))


def _places(texts: list[object], column: str) -> list[str]:
    return [column] if len(texts) == 1 else [f"{column}[{index}]" for index in range(len(texts))]


def _first_answer(row: Row) -> str:
    answer = read_dialogue(row).example.answer
    text = answer if isinstance(answer, str) else next(said(each) for each in answer if each["role"] == "assistant")
    return text_of({"its first answer": text}, "its first answer")
