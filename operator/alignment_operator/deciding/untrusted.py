"""How far a status believes numbers, words and times that come from pods, so that the API server takes it; pure."""

import re
from collections.abc import Hashable
from datetime import UTC, datetime

from alignment_api.progress import MOST_STEPS

_READ_CHARACTERS = 1000
_REVISION = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bounded_time(told: datetime, now: datetime) -> datetime:
    """Take a time as told, but none that is still to come, nor one before computers."""
    return min(max(told if told.tzinfo else told.replace(tzinfo=UTC), _EPOCH), now)


def bounded_checkpoint(step: int | None) -> int | None:
    """Return the step of a checkpoint, or None where no stage can have such a step."""
    return step if step is not None and 0 <= step <= MOST_STEPS else None


def bounded_revision(text: str | None) -> str | None:
    """Return the name of a commit, or None where the text is none."""
    return text if text is not None and _REVISION.fullmatch(text) else None


def one_line(text: object, characters: int = _READ_CHARACTERS) -> str:
    """Return the text as one line of at most so many characters, fit for a log or a status."""
    line = printable(str(text))
    return line if len(line) <= characters else f"{line[: characters - 1]}…"


def printable(text: str) -> str:
    """Leave out what a terminal or a page could take for more than text."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


class Sightings:
    """When, by our own clock, something new was told: what is told again is no younger, whatever the teller's clock shows."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[object, datetime]] = {}

    def time_of(self, about: Hashable, told: object, reckoned: datetime) -> datetime:
        """Give the time of what is told about something: the reckoned one if it is new, else the earlier one."""
        if about not in self._known or self._known[about][0] != told:
            self._known[about] = (told, reckoned)
        return self._known[about][1]

    def keep_only(self, wanted: set[Hashable]) -> None:
        """Forget everything else."""
        self._known = {about: known for about, known in self._known.items() if about in wanted}
