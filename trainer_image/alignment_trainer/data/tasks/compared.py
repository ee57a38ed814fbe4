"""Reads what an exported model is rounded or compared on: a plain text, which counts whole, or a dialogue."""

from alignment_trainer.data.tasks.documents import read_document
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.rows import ReadRow


def read_compared(row: Row) -> ReadRow[Dialogue]:
    """Read a row as a dialogue; a text answers nothing, and the empty lines of a file of texts are left out."""
    text = row.get("text")
    if isinstance(text, str) and not text.strip():
        raise LeftOut("nothing_answered")
    found = read_document(row)
    if isinstance(found, str):
        return ReadRow(Dialogue("", found), "text", ())
    return ReadRow(found, "dialogue", ())
