"""Which words differ between two texts."""

import re
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple

# Chinese and Japanese have no spaces between words, so that each of their characters counts as a word.
_WORD = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:['’][^\W\d_]+)*"
_WORDS = re.compile(_WORD)
# A token has the space behind it, so that a changed line break counts as a change; spaces do not count.
_TOKENS = re.compile(rf"(?:{_WORD}|[^\w\s])\s*|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
COMPARED_WORDS = 3_000
"""Longer texts are compared line by line, since comparing all their words would take seconds."""

SHORT_RUN = 1
"""Words between two changes that are marked with them; without this, a new sentence is marked word by word."""


class Piece(NamedTuple):
    """A part of two texts that both have, or only one of them."""

    kind: Literal["same", "removed", "added"]
    text: str


def count_words(text: str) -> int:
    """Count the words of a text, without its punctuation."""
    return sum(1 for _ in _WORDS.finditer(text))


@lru_cache(maxsize=2_000)
def difference(old: str, new: str) -> tuple[Piece, ...]:
    """Return the new text in pieces, with what was removed from the old one between them."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    if max(len(before), len(after)) > COMPARED_WORDS:
        before, after = _LINES.findall(old), _LINES.findall(new)
    is_long = max(len(before), len(after)) > COMPARED_WORDS
    matcher = SequenceMatcher(None, _without_spaces(before), _without_spaces(after), autojunk=is_long)
    pieces: list[Piece] = []
    for operation, start, end, new_start, new_end in matcher.get_opcodes():
        removed, added = "".join(before[start:end]), "".join(after[new_start:new_end])
        is_last = end == len(before) and new_end == len(after)
        if operation == "equal" and (is_last or not pieces or end - start > SHORT_RUN):
            pieces.append(Piece("same", added))
        else:
            pieces += [Piece("removed", removed), Piece("added", added)]
    return tuple(_joined(pieces))


def share_changed(old: str, new: str) -> float:
    """Return which share of the words of two texts only one of them has."""
    pieces = difference(old, new)
    same = 2 * sum(count_words(piece.text) for piece in pieces if piece.kind == "same")
    other = sum(count_words(piece.text) for piece in pieces if piece.kind != "same")
    return other / (same + other) if same + other else float(old != new)


def _without_spaces(tokens: list[str]) -> list[str]:
    return [token.rstrip(" ") for token in tokens]


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join neighbouring changes, first what was removed, then what was added."""
    joined: list[Piece] = []
    for is_same, group in groupby(pieces, lambda piece: piece.kind == "same"):
        run = list(group)
        kinds: tuple[Literal["same", "removed", "added"], ...] = ("same",) if is_same else ("removed", "added")
        for kind in kinds:
            text = "".join(piece.text for piece in run if piece.kind == kind)
            joined += [Piece(kind, text)] if text else []
    return joined
