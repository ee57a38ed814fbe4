"""How far a status believes numbers, words and times that come from pods, so that the API server takes it; pure."""

import math
import re
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime

from alignment_api.metrics import HEADLINES
from alignment_api.spec.status import Progress

MOST_STEPS = 100_000_000
"""As many as a spec can ask for."""

_LONGEST_SECONDS_LEFT = 10 * 366 * 86_400
_READ_CHARACTERS = 1000
_REVISION = re.compile(r"[0-9A-Za-z.-]{1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bounded_progress(
    step: int, total_steps: float, seconds_left: float | None, metrics: Mapping[str, float], updated_time: datetime
) -> Progress | None:
    """Make a progress of what was told; none of a number of steps that no stage can have."""
    if not 1 <= total_steps <= MOST_STEPS:
        return None
    total = int(total_steps)
    done = min(max(step, 0), total)
    left = None if seconds_left is None or not math.isfinite(seconds_left) else seconds_left
    return Progress(
        step=done,
        total_steps=total,
        percent=100 * done // total,
        seconds_left=None if left is None else round(min(max(left, 0), _LONGEST_SECONDS_LEFT)),
        updated_time=updated_time.replace(microsecond=0),
        metrics={name: metrics[name] for name in HEADLINES if math.isfinite(metrics.get(name, math.nan))},
    )


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
