"""What the x axis counts: steps, or time in a unit that suits the longest run."""

from typing import NamedTuple


class Scale(NamedTuple):
    """One unit of the x axis."""

    seconds: int
    """Seconds of one unit; 0 if the axis counts steps."""
    name: str


STEPS = Scale(0, "step")
_TIMES = (Scale(86_400, "days"), Scale(3_600, "hours"), Scale(60, "minutes"), Scale(1, "seconds"))


def time_scale(seconds: float) -> Scale:
    """Return the largest unit of which a duration has at least two."""
    return next((scale for scale in _TIMES if seconds >= 2 * scale.seconds), _TIMES[-1])
