"""Text that comes from jobs and models: escaped where Streamlit would read markdown, with hidden characters made visible."""

import re
from collections.abc import Sequence

# Control characters, line separators, marks that change the direction or have no width, tags, and halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)

_SENTENCE = re.compile(r"(?<=[.!?;])\s+")


def plain(text: str) -> str:
    """Escape ASCII punctuation only: before any other character the page would show the backslash."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def visible(text: str) -> str:
    """Write hidden characters as escapes such as \\u202e; line breaks and tabs stay."""
    return _HIDDEN.sub(_escape, text.replace("\r\n", "\n"))


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, and end it with an ellipsis if it was longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as a sentence does: a, b and c."""
    return f" {last} ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: 1 run, 2 runs."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_sentence(message: str) -> tuple[str, str]:
    """Split a message, in one line, into its first sentence, without a semicolon at its end, and the rest."""
    first, *rest = _SENTENCE.split(" ".join(message.split()), maxsplit=1)
    return first.removesuffix(";"), rest[0] if rest else ""


def in_one_line(text: str, length: int) -> str:
    """Return the beginning of a text in one line, with hidden characters as escapes."""
    return shorten(" ".join(visible(text[: 2 * length]).split()), length)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
