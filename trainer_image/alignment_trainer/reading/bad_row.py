"""The fault of a row that cannot be used."""


class BadRow(ValueError):
    """A row cannot be used; the text completes a sentence that begins with the row's place."""
