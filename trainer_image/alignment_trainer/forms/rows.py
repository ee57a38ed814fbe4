"""Reads a row as a dialogue or a pair, in the first form of the tables that fits it."""

from typing import Any, Generic, NamedTuple, TypeVar

from alignment_trainer.forms.columns import unread_beside
from alignment_trainer.forms.dialogues import DIALOGUE_FORMS, NO_DIALOGUES
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.form import Form, Row, form_of, has_columns, shown_columns
from alignment_trainer.forms.labels import LABEL_COLUMNS, label_of
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.pairs.table import NO_PAIRS, PAIR_FORMS
from alignment_trainer.forms.unread import unread_columns
from alignment_trainer.reading.bad_row import BadRow

_DIALOGUES = (
    "messages, conversations, prompt and completion, instruction and output, question and answer, or the columns of another "
    "form in docs/data.md"
)
_PAIRS = "prompt, chosen and rejected, or the columns of another form in docs/data.md"

_Example = TypeVar("_Example", Dialogue, Pair)


class ReadRow(NamedTuple, Generic[_Example]):
    """A row that was read, and how."""

    example: _Example
    form: str
    unread: tuple[str, ...]
    """The columns that were ignored: those that are neither empty nor repeat a text that was read."""


def read_dialogue(row: Row) -> ReadRow[Dialogue]:
    """Read a row for supervised fine-tuning, and return how it was read."""
    form = dialogue_form(row)
    dialogue = form.read(row)
    label = label_of(row)
    if label is False:
        raise LeftOut("labelled_bad")
    return ReadRow(dialogue, *_described(row, form, LABEL_COLUMNS if label else (), dialogue))


def read_pair(row: Row) -> ReadRow[Pair]:
    """Read a row for preference optimization, and return how it was read."""
    form = pair_form(row)
    pair = form.read(row)
    return ReadRow(pair, *_described(row, form, (), pair))


def _described(row: Row, form: Form[Any], also: tuple[str, ...], example: Dialogue | Pair) -> tuple[str, tuple[str, ...]]:
    """Return the name of a row's form, and the columns that were ignored."""
    beside, unread = unread_beside(row), unread_columns(row, form, also, example)
    return (form.name, unread) if beside is None else (f"columns, read as {form.name}", (*beside, *unread))


def dialogue_form(row: Row) -> Form[Dialogue]:
    """Return the form in which a row is read as a dialogue; raise BadRow if none fits."""
    refuse_media(row)
    form = form_of(row, DIALOGUE_FORMS)
    if form is None:
        pairs = form_of(row, PAIR_FORMS)
        if pairs:
            raise BadRow(
                f"has answers of which one is better ({', '.join(pairs.columns)}); name the dataset in a stage of kind dpo"
            )
        raise BadRow(_said(row, NO_DIALOGUES) or _unknown(row, ("prompt", "completion"), _DIALOGUES))
    return form


def pair_form(row: Row) -> Form[Pair]:
    """Return the form in which a row is read as a pair; raise BadRow if none fits."""
    refuse_media(row)
    form = form_of(row, PAIR_FORMS)
    if form is None:
        raise BadRow(_said(row, NO_PAIRS) or _unknown(row, ("prompt", "chosen", "rejected"), _PAIRS))
    return form


def _said(row: Row, sentences: tuple[tuple[tuple[str, ...], str], ...]) -> str | None:
    return next((sentence for columns, sentence in sentences if has_columns(row, columns)), None)


def _unknown(row: Row, columns: tuple[str, ...], wanted: str) -> str:
    missing = " and no ".join(column for column in columns if row.get(column) is None)
    return f"has no {missing}; it needs {wanted}, but has {shown_columns(row)}"
