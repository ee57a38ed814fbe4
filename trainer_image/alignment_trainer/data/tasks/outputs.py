"""Reads the answers of one system to many instructions, as AlpacaEval's model_outputs.json has them."""

from typing import NamedTuple

from alignment_trainer.forms.form import Row, shown_columns
from alignment_trainer.forms.texts import optional_text, text_of, whole_text
from alignment_trainer.reading.bad_row import BadRow


class Output(NamedTuple):
    """An answer that is compared with those of the models."""

    instruction: str
    """By which it joins the questions."""
    text: str
    generator: str
    """The system that wrote it; empty if the row names none."""


def read_output(row: Row) -> Output:
    """Read instruction and output, and generator where there is one; an answer may be empty."""
    for column in ("instruction", "output"):
        if column not in row:
            raise BadRow(f"has no {column}; a row of outputs has instruction and output, but this has {shown_columns(row)}")
    return Output(text_of(row, "instruction"), whole_text(row["output"], "output"), optional_text(row, "generator"))
