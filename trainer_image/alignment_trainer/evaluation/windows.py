"""Cuts a text into the windows in which its perplexity is computed, each token predicted at most once; pure."""

from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """Positions of tokens: those from `start` on are read, and those from `first` to `end` predicted."""

    start: int
    first: int
    end: int

    @property
    def size(self) -> int:
        """Return how many tokens are read."""
        return self.end - self.start


def windows(tokens: int, size: int, stride: int) -> Iterator[Window]:
    """Yield the windows of a text; nothing predicts the first token of one that does not overlap the window before it."""
    end = 0
    for start in range(0, tokens, stride):
        first, end = max(end, start + 1), min(start + size, tokens)
        if first < end:
            yield Window(start, first, end)
        if end == tokens:
            return
