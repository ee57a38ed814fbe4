"""How the tables of a comparison mark what matters; each tint comes with a sign, for readers who do not see the colour."""

from typing import Literal

from alignment_dashboard.facts.colours import MUTED, Look

ROW_PIXELS = 32
_LINES = {"solid": "━━━", "dashed": "╍╍╍", "dash-dotted": "━ ╸━"}
_TINTS = {
    "best": ("#DDF3E4; font-weight: 600", "#123F2A; font-weight: 600"),
    "changed": ("#FFF1CC; font-weight: 600", "#4A3B12; font-weight: 600"),
}


def line_text(look: Look) -> str:
    """Return a short line in the dash of a run's curves."""
    return _LINES[look.dash]


def line_colour(look: Look, dark: bool) -> str:
    """Return the style of text in the colour of a run's curves."""
    return f"color: {look.colour(dark)}"


def muted(dark: bool) -> str:
    """Return the style of a value that says nothing new."""
    return f"color: {MUTED[dark]}"


def tint(meaning: Literal["best", "changed"], dark: bool) -> str:
    """Return the style of a cell that stands out."""
    return f"background-color: {_TINTS[meaning][dark]}"
