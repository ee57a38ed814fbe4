"""Whether a running attempt makes progress, stands still, or cannot be heard; pure."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from alignment_api.job import Progress

from alignment_operator.observation import Child, Pulse

UNHEARD_FACTOR = 4
"""How many times longer an attempt may seem to stand still where nobody can tell whether it does."""

_HEARD_SECONDS = 60
"""A pod that answered within this time counts as heard: a few answers may be lost."""


class Verdict(NamedTuple):
    """What follows for the attempt, and in how many seconds that may change."""

    kind: Literal["Fine", "Unknown", "Stalled"]
    message: str | None
    seconds_left: float | None


def judge(
    child: Child, progress: Progress | None, pulse: Pulse | None, silence: str | None, timeout_seconds: int | None, now: datetime
) -> Verdict:
    """Decide about an attempt whose containers all run."""
    pulse = pulse if pulse and pulse.attempt == child.attempt else None
    is_heard = pulse is not None and now - pulse.heard_time <= timedelta(seconds=_HEARD_SECONDS)
    if timeout_seconds is None or child.start_time is None:
        return Verdict("Fine" if is_heard or not silence else "Unknown", silence if not is_heard else None, None)
    last = _last_sign(child.start_time, progress, pulse)
    left = (last + timedelta(seconds=timeout_seconds) - now).total_seconds()
    if is_heard:
        return Verdict("Fine", None, left) if left > 0 else Verdict("Stalled", _standstill(pulse, timeout_seconds), None)
    longest = timeout_seconds * UNHEARD_FACTOR
    left_unheard = (last + timedelta(seconds=longest) - now).total_seconds()
    if left_unheard <= 0:
        return Verdict("Stalled", f"nothing was heard of it for {longest} s (four times restart.stallTimeoutSeconds)", None)
    if silence or left <= 0:
        why = silence or "neither its pod nor MLflow tells of new steps"
        return Verdict(
            "Unknown", f"{why}; it is restarted if that lasts until {last + timedelta(seconds=longest):%H:%M} UTC", left_unheard
        )
    return Verdict("Fine", None, left)


def _last_sign(start: datetime, progress: Progress | None, pulse: Pulse | None) -> datetime:
    """Find when the attempt last did what is expected of it: any work before its first step, steps after it."""
    signs = [start]
    if progress:
        signs.append(progress.updated_time)
    if pulse and not pulse.has_stepped:
        signs.append(pulse.alive_time)
    return max(signs)


def _standstill(pulse: Pulse | None, timeout_seconds: int) -> str:
    if pulse and not pulse.has_stepped:
        return f"its processes did nothing for {timeout_seconds} s before the first step (restart.stallTimeoutSeconds)"
    return f"no progress for {timeout_seconds} s (restart.stallTimeoutSeconds)"
