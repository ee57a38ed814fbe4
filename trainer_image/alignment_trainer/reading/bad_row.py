"""The fault of a row that cannot be used."""

from alignment_trainer.failures import RowFault
from alignment_trainer.reading.visible import in_one_line


class BadRow(RowFault):
    """A row cannot be used; the text completes a sentence that begins with the row's place."""

    def __init__(self, sentence: str) -> None:
        # Sentences quote rows, and they are read in terminals.
        super().__init__(in_one_line(sentence))
