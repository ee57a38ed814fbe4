"""The curves of one run in a chart, and how they look."""

from typing import NamedTuple

from alignment_dashboard.store.history import Histories


class Trace(NamedTuple):
    """One run: its name in the legend, its colour in the current theme, its line style and its histories."""

    identity: str
    name: str
    colour: str
    dash: str
    histories: Histories
