"""The fault of a row that cannot be used."""

from alignment_trainer.failures import RowFault


class BadRow(RowFault):
    """A row cannot be used; the text completes a sentence that begins with the row's place."""
