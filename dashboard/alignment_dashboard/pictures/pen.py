"""How a line looks: of one run the colour says what the line shows, of many it says which run it is."""

from typing import Any, NamedTuple

from alignment_dashboard.facts.colours import DARK, LIGHT, MUTED
from alignment_dashboard.pictures.panels import (
    CHOSEN,
    HOLDOUT,
    LEFT_OUT,
    MEASURED,
    NOT_ANSWERED,
    OF_ANSWERS,
    OF_PROMPTS,
    PERHAPS_PAID,
    REJECTED,
    REUSED,
    SECOND,
    SENT,
    TRAINING,
    WRITTEN,
    Line,
)
from alignment_dashboard.pictures.trace import Trace

# Positions in the palette and, after it, grey: blue, vermilion, green and pink differ for colour-blind people too.
_COLOURS = {
    **{TRAINING: 0, HOLDOUT: 1, CHOSEN: 2, REJECTED: 3},
    **{MEASURED: 0, WRITTEN: 0, LEFT_OUT: 1, SENT: 2, NOT_ANSWERED: 3, OF_PROMPTS: 4, OF_ANSWERS: 5, REUSED: 6, PERHAPS_PAID: 7},
}
_NAMELESS = (TRAINING, MEASURED)
_DOTTED = (1, 3)
_PATTERNS = {"dash-dotted": (8, 3, 2, 3)}
"""What ECharts has no word for."""
ALARM = {False: "#C62828", True: "#FF8A80"}
"""The colour of NaN and infinity, in the light and in the dark theme."""
FAINT = "#8A8F98"


class Pen(NamedTuple):
    """The name, colour and style of a line."""

    name: str
    colour: str
    style: str | tuple[int, ...]

    @property
    def line_style(self) -> dict[str, Any]:
        """Return the style in ECharts' words."""
        return {"type": self.style if isinstance(self.style, str) else list(self.style), "color": self.colour}


def pen_of(line: Line, trace: Trace, alone: bool, dark: bool) -> Pen:
    """Return how a line of a run looks, beside other runs or alone."""
    if alone:
        return Pen(line.label, (*(DARK if dark else LIGHT), MUTED[dark])[_COLOURS[line.role]], "solid")
    name = trace.name if line.label in _NAMELESS else f"{trace.name}, {line.label}"
    return Pen(name, trace.colour, _DOTTED if line.role in SECOND else _PATTERNS.get(trace.dash, trace.dash))
