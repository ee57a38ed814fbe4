"""Reads a row as a dialogue or a pair, in the first form of the tables that fits it."""

from alignment_trainer.forms.dialogues import DIALOGUE_FORMS
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.form import Form, Row, form_of, shown_columns
from alignment_trainer.forms.pairs import PAIR_FORMS
from alignment_trainer.reading.bad_row import BadRow

_DIALOGUES = (
    "messages, conversations, prompt and completion, instruction and output, or question, choices and answer (docs/data.md)"
)
_PAIRS = "prompt, chosen and rejected"


def dialogue_of(row: Row) -> Dialogue:
    """Read a row for supervised fine-tuning."""
    return dialogue_form(row).read(row)


def pair_of(row: Row) -> Pair:
    """Read a row for preference optimization."""
    return pair_form(row).read(row)


def dialogue_form(row: Row) -> Form[Dialogue]:
    """Return the form in which a row is read as a dialogue; raise BadRow if none fits."""
    form = form_of(row, DIALOGUE_FORMS)
    if form is None:
        raise _unknown(row, ("prompt", "completion"), _DIALOGUES)
    return form


def pair_form(row: Row) -> Form[Pair]:
    """Return the form in which a row is read as a pair; raise BadRow if none fits."""
    form = form_of(row, PAIR_FORMS)
    if form is None:
        raise _unknown(row, ("prompt", "chosen", "rejected"), _PAIRS)
    return form


def _unknown(row: Row, columns: tuple[str, ...], wanted: str) -> BadRow:
    missing = " and no ".join(column for column in columns if row.get(column) is None)
    return BadRow(f"has no {missing}; it needs {wanted}, but has {shown_columns(row)}")
