"""Reads what perplexity is computed of: a plain text, or a dialogue, of which the answers count."""

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.rows import read_dialogue
from alignment_trainer.forms.texts import text_of

_TEXT_COLUMNS = ("text", "page")

Document = str | Dialogue


def read_document(row: Row) -> Document:
    """Read a row with the column text or page as a text, and any other as a dialogue."""
    column = next((column for column in _TEXT_COLUMNS if row.get(column) is not None), None)
    if column:
        return text_of(row, column)
    dialogue = read_dialogue(row).example
    # So a dataset is read that names its column of plain text.
    return dialogue.answer if isinstance(dialogue.answer, str) and not dialogue.prompt else dialogue
