"""Text of others as one line for a log or a status: no breaks, no control characters, and no more than is read."""

from alignment_operator.deciding.bounds import printable

_READ_CHARACTERS = 1000


def one_line(text: object, characters: int = _READ_CHARACTERS) -> str:
    """Give the text as one line of so many characters."""
    line = printable(str(text))
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
