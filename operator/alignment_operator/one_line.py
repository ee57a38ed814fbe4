"""Text of others as one line for a log or a status: no breaks, no control characters, and no more than is read."""

_READ_CHARACTERS = 1000


def one_line(text: object, characters: int = _READ_CHARACTERS) -> str:
    """Give the text as one line of so many characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
