"""Prompts and answers as HTML in which every text is escaped: people see the characters that a model wrote, and nothing else."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from alignment_dashboard.facts.word_difference import Piece
from alignment_dashboard.text import visible

FOLDED_LENGTH = 3_000
"""Characters of an answer that are shown before it is unfolded."""

FOLDED_PROMPT = 600
"""The same of a prompt, so that its answers stay on the screen."""


class Tones(NamedTuple):
    """The colours of one theme; each text has a contrast of at least 4.5 on its background."""

    text: str
    quiet: str
    line: str
    added: tuple[str, str]
    """Text and background of what was added."""
    removed: tuple[str, str]


LIGHT = Tones("#1f2430", "#555c69", "#c9ced8", ("#0b4a80", "#dcecfb"), ("#8a3800", "#fdebdc"))
DARK = Tones("#eceef3", "#b3b9c5", "#4a5160", ("#b5daff", "#143a5c"), ("#ffc998", "#4f2c0d"))
_GAP = "0.9rem"
_SIGNS = {"added": "+", "removed": "−"}
_MARKS = {"added": "underline", "removed": "line-through"}


class Answer(NamedTuple):
    """One answer with its heading, a note on its length, and the pieces of its text; None if there is no answer."""

    heading: str
    note: str
    pieces: tuple[Piece, ...] | None
    colour: str = ""
    is_data: bool = False


def draw_prompt(text: str, tones: Tones, whole: bool) -> str:
    """Return a prompt as HTML."""
    return (
        f'<div style="max-width:110ch;border-left:3px solid {tones.line};padding:0.1rem 0 0.1rem 0.9rem">'
        f"{_draw_text((Piece('same', text),), tones, None if whole else FOLDED_PROMPT)}</div>"
    )


def draw_answers(columns: Iterable[Sequence[Answer]], tones: Tones, whole: bool) -> str:
    """Return answers as HTML, in columns where there is room."""
    drawn = (
        f'<div style="flex:1 1 17rem;min-width:0;display:flex;flex-direction:column;gap:{_GAP}">'
        f"{''.join(_draw_card(answer, tones, whole) for answer in column)}</div>"
        for column in columns
    )
    return f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start;gap:{_GAP}">{"".join(drawn)}</div>'


def _draw_card(answer: Answer, tones: Tones, whole: bool) -> str:
    line = "dashed" if answer.is_data else "solid"
    top = f"border-top:4px solid {answer.colour};" if answer.colour else ""
    return (
        f'<section style="border:1px {line} {tones.line};{top}border-radius:0.5rem;padding:0.7rem 0.9rem;min-width:0">'
        f'<h3 style="font-size:1rem;font-weight:600;line-height:1.3;margin:0;padding:0;overflow-wrap:anywhere">'
        f"{_literal(answer.heading)}</h3>"
        f'<p style="font-size:0.85rem;margin:0 0 0.5rem;color:{tones.quiet}">{_literal(answer.note)}</p>'
        f"{'' if answer.pieces is None else _draw_text(answer.pieces, tones, None if whole else FOLDED_LENGTH)}</section>"
    )


def _draw_text(pieces: tuple[Piece, ...], tones: Tones, room: int | None) -> str:
    shown, left = (pieces, 0) if room is None else fold(pieces, room)
    text = "".join(_draw_piece(piece, tones) for piece in shown) or f'<em style="color:{tones.quiet}">(empty)</em>'
    more = f'<p style="margin:0.5rem 0 0;color:{tones.quiet}">… {left:,} more characters: switch on Whole texts.</p>'
    return (
        f'<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.55;tab-size:4;color:{tones.text}">'
        f"{text}</div>{more if left else ''}"
    )


def fold(pieces: tuple[Piece, ...], room: int) -> tuple[tuple[Piece, ...], int]:
    """Return the beginning of a long text, and how many characters are left out."""
    shown = []
    for piece in pieces:
        if room > 0:
            shown.append(Piece(piece.kind, piece.text[:room]))
        room -= len(piece.text)
    return tuple(shown), max(0, -room)


def _draw_piece(piece: Piece, tones: Tones) -> str:
    if piece.kind == "same":
        return _literal(piece.text)
    colour, background = tones.added if piece.kind == "added" else tones.removed
    style = (
        f"color:{colour};background:{background};text-decoration:{_MARKS[piece.kind]};text-decoration-thickness:1px;"
        "text-underline-offset:3px;border-radius:2px"
    )
    # A word joiner keeps the sign with its word; neither is copied.
    sign = (
        '<span aria-hidden="true" style="user-select:none">'
        f'<span style="display:inline-block;font-weight:700">{_SIGNS[piece.kind]}</span>&#8288;</span>'
    )
    tag = "ins" if piece.kind == "added" else "del"
    # White space at the end stays outside of the mark, so that an underline does not run into the next word.
    words = piece.text.rstrip() or piece.text
    space = piece.text[len(words) :]
    return f'<{tag} style="{style}">{sign}{_literal(words)}</{tag}>{_literal(space)}'


def _literal(text: str) -> str:
    return escape(visible(text))
