"""Which words differ between two texts."""

import re
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby, takewhile
from typing import Literal, NamedTuple

# Chinese and Japanese have no spaces between words, so that each of their characters counts as a word.
_WORD = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:['’][^\W\d_]+)*"
_WORDS = re.compile(_WORD)
# A token has the space behind it, so that a changed line break counts as a change; spaces do not count.
_TOKENS = re.compile(rf"(?:{_WORD}|[^\w\s])\s*|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
MOST_STEPS = 10_000_000
"""No comparison takes more steps than these, a fraction of a second; they are enough for about 900 words of ordinary text."""

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
    before, after = _parts(old, new)
    matcher = SequenceMatcher(None, _without_spaces(before), _without_spaces(after), autojunk=False)
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


def _parts(old: str, new: str) -> tuple[list[str], list[str]]:
    """Return the parts to compare: words, else lines, else what is between the equal beginning and the equal end."""
    for part in (_TOKENS, _LINES):
        before, after = part.findall(old), part.findall(new)
        if _steps(_without_spaces(before), _without_spaces(after)) <= MOST_STEPS:
            return before, after
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    return _three(old, start, end), _three(new, start, end)


def _steps(before: list[str], after: list[str]) -> int:
    """Return how many steps a comparison takes at most: each split may look at all pairs of equal parts."""
    counts = Counter(before)
    return sum(counts[part] for part in after) * min(len(before), len(after))


def _shared(old: str, new: str) -> int:
    """Return how many characters at the beginning of two texts are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _three(text: str, start: int, end: int) -> list[str]:
    return [part for part in (text[:start], text[start : len(text) - end], text[len(text) - end :]) if part]


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
