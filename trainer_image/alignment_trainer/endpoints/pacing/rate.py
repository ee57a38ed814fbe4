"""A rate per minute, of requests or tokens, that is used up evenly; pure."""

from typing import NamedTuple

_SECONDS = 60
_CATCH_UP_SECONDS = 0.5
"""Lateness up to this is made up for."""
_SHARE = 0.99
"""With what is made up for, no minute exceeds the rate."""


class Taken(NamedTuple):
    """What a request takes of a rate: the most that it may use, and what it is expected to use."""

    most: int
    expected: float


class Rate:
    """Tells when the next request may be sent."""

    def __init__(self, per_minute: int | None) -> None:
        self._seconds_each = _SECONDS / (per_minute * _SHARE) if per_minute else 0.0
        self._next = float("-inf")
        self._most = self._used = 0

    def ready(self) -> float:
        """Return from when on the next request may be sent."""
        return self._next

    def take(self, now: float, most: int) -> Taken:
        """Use up what a request is expected to use: the share of its most that earlier requests have used."""
        expected = most * (self._used / self._most if self._most else 1.0)
        self._next = max(self._next, now - _CATCH_UP_SECONDS) + expected * self._seconds_each
        return Taken(most, expected)

    def correct(self, taken: Taken, used: int) -> None:
        """Give back what a request has not used, or use up what it has used more."""
        self._most += taken.most
        self._used += used
        self._next += (used - taken.expected) * self._seconds_each
