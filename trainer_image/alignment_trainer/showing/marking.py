"""Writes tokens as text in which the learned ones are marked: in colour on a terminal, in brackets elsewhere."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from alignment_trainer.reading.visible import visible

_COLOUR, _PLAIN = "\x1b[32m", "\x1b[0m"

Decode = Callable[[Sequence[int]], str]


class Piece(NamedTuple):
    """The text of tokens in a row that are all learned, or all not learned."""

    text: str
    is_learned: bool


def pieces_of(ids: Sequence[int], is_learned: Sequence[bool], decode: Decode) -> list[Piece]:
    """Cut the text of some tokens where learned and other tokens meet."""
    pieces: list[Piece] = []
    end, before = 0, ""
    for mark, group in groupby(is_learned):
        end += len(list(group))
        # The text up to here, less what came before: alone, many tokenizers would write a group without its first space.
        whole = decode(ids[:end])
        text = whole[len(before) :] if whole.startswith(before) else decode(ids[end - 1 : end])
        pieces.append(Piece(text, mark))
        before = whole
    return pieces


def marked(pieces: Sequence[Piece], in_colour: bool) -> str:
    """Return the text with its learned pieces marked; a line break at its end is shown as a sign."""
    texts = [visible(piece.text) for piece in pieces]
    if texts and texts[-1].endswith("\n"):
        texts[-1] = f"{texts[-1][:-1]}⏎"
    mark = _coloured if in_colour else "⟦{}⟧".format
    return "".join(mark(text) if piece.is_learned else text for text, piece in zip(texts, pieces, strict=True))


def _coloured(text: str) -> str:
    """Colour each line by itself, since programs that show a text page by page lose a colour at the end of a line."""
    return "\n".join(f"{_COLOUR}{line}{_PLAIN}" if line else line for line in text.split("\n"))
