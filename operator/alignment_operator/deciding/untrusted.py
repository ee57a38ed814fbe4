"""Bounds for numbers, text and times that come from pods, so that the API server accepts them in a status; pure."""

import re
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from itertools import islice

from alignment_api.progress.course import MOST_STEPS

_READ_CHARACTERS = 1000
_MOST_WARNINGS, _WARNING_CHARACTERS = 64, 512
_REVISION = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bounded_time(reported: datetime, now: datetime) -> datetime:
    """Return a reported time, moved to now if it is in the future, and to 1970 if it is earlier."""
    return min(max(reported if reported.tzinfo else reported.replace(tzinfo=UTC), _EPOCH), now)


def bounded_checkpoint(step: int | None) -> int | None:
    """Return the step of a checkpoint, or None if no stage can have such a step."""
    return step if step is not None and 0 <= step <= MOST_STEPS else None


def bounded_revision(text: str | None) -> str | None:
    """Return the name of a commit, or None if the text cannot be one."""
    return text if text is not None and _REVISION.fullmatch(text) else None


def one_line(text: object, characters: int = _READ_CHARACTERS) -> str:
    """Return the text as one line of at most so many characters, fit for a log or a status."""
    line = printable(str(text))
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


def bounded_warnings(sentences: Iterable[str]) -> tuple[str, ...]:
    """Return warnings as a status can hold them."""
    return tuple(one_line(sentence, _WARNING_CHARACTERS) for sentence in islice(sentences, _MOST_WARNINGS))


def printable(text: str) -> str:
    """Return the text without characters that a terminal or a page would interpret."""
    return " ".join(without_controls(text).split())


def without_controls(text: str, kept: str = "") -> str:
    """Return the text with a space for each character that a terminal would interpret, but for those that are kept."""
    return "".join(character if character.isprintable() or character in kept else " " for character in text)


class Sightings:
    """When each value was first reported, by the operator's clock; repeating a value does not make it newer."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[object, datetime]] = {}

    def time_of(self, subject: Hashable, value: object, estimated: datetime) -> datetime:
        """Return when a subject first had this value: the estimated time if the value is new, else the earlier one."""
        if subject not in self._known or self._known[subject][0] != value:
            self._known[subject] = (value, estimated)
        return self._known[subject][1]

    def keep_only(self, wanted: set[Hashable]) -> None:
        """Forget all other subjects."""
        self._known = {subject: known for subject, known in self._known.items() if subject in wanted}
