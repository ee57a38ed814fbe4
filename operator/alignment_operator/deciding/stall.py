"""Whether a running attempt makes progress, is stalled, or cannot be observed; pure."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from alignment_api.spec.status import Progress

from alignment_operator.deciding.observation import Child, Pulse

_UNOBSERVED_FACTOR = 4
"""An attempt that cannot be observed is restarted after this many stall timeouts."""

_ANSWER_SECONDS, _ANSWER_INTERVALS = 60, 3
"""A pod counts as answering if it answered within 60 s or three request intervals, whichever is longer: a few may be lost."""


class Evidence(NamedTuple):
    """What the pod and MLflow report about an attempt, and why they report nothing."""

    progress: Progress | None
    pulse: Pulse | None
    asked_since: datetime | None
    """Since when the operator has asked its pod; earlier silence is ignored."""
    unheard: str | None
    """Why its pod did not answer."""
    silence: str | None
    """Why MLflow reports nothing."""
    interval_seconds: float
    """How often pod and MLflow are asked."""


class Verdict(NamedTuple):
    """The state of the attempt, and in how many seconds it may change."""

    kind: Literal["Fine", "Unknown", "Stalled"]
    message: str | None
    seconds_left: float | None


def judge(child: Child, evidence: Evidence, timeout_seconds: int | None, now: datetime) -> Verdict:
    """Judge an attempt whose containers all run."""
    pulse = evidence.pulse if evidence.pulse and evidence.pulse.attempt == child.attempt else None
    is_answering = pulse is not None and now - pulse.heard_time <= _answer_timeout(evidence.interval_seconds)
    silence = None if is_answering or evidence.asked_since is None else evidence.silence
    if timeout_seconds is None or child.start_time is None:
        return Verdict("Unknown" if silence else "Fine", silence, None)
    last = _last_sign(child.start_time, evidence.progress, pulse)
    left = (last + timedelta(seconds=timeout_seconds) - now).total_seconds()
    if is_answering:
        return Verdict("Fine", None, left) if left > 0 else Verdict("Stalled", _stall_message(pulse, timeout_seconds), None)
    if evidence.asked_since is None:
        return Verdict("Fine", None, None)
    last = max(last, evidence.asked_since)
    left = (last + timedelta(seconds=timeout_seconds) - now).total_seconds()
    longest = timeout_seconds * _UNOBSERVED_FACTOR
    end = last + timedelta(seconds=longest)
    if now >= end:
        return Verdict(
            "Stalled",
            f"neither its pod nor MLflow reported anything for {longest} s (four times restart.stallTimeoutSeconds)",
            None,
        )
    if silence or left <= 0:
        why = silence or evidence.unheard or "its pod does not answer"
        more = "" if silence else ", and MLflow has no new steps"
        return Verdict(
            "Unknown",
            f"{why}{more}; if nothing changes, the stage is restarted at {end:%Y-%m-%d %H:%M} UTC",
            (end - now).total_seconds(),
        )
    return Verdict("Fine", None, left)


def _answer_timeout(interval_seconds: float) -> timedelta:
    return timedelta(seconds=max(_ANSWER_SECONDS, _ANSWER_INTERVALS * interval_seconds))


def _last_sign(start: datetime, progress: Progress | None, pulse: Pulse | None) -> datetime:
    """Return when the attempt last made progress: before its first step any work counts, afterwards only steps."""
    signs = [start]
    if progress:
        signs.append(progress.updated_time)
    if pulse and pulse.advanced_time:
        signs.append(pulse.advanced_time)
    if pulse and not pulse.has_stepped:
        signs.append(pulse.alive_time)
    return max(signs)


def _stall_message(pulse: Pulse | None, timeout_seconds: int) -> str:
    if pulse and not pulse.has_stepped:
        return f"its processes did nothing for {timeout_seconds} s before the first step (restart.stallTimeoutSeconds)"
    return f"no progress for {timeout_seconds} s (restart.stallTimeoutSeconds)"
