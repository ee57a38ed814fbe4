"""Computes a stage's progress from the points that it has measured, in the journal, in MLflow or in a heartbeat; pure."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from alignment_api import metrics
from alignment_api.journal import Point
from alignment_api.metrics import SECONDS_LEFT, STEP, TOTAL_STEPS
from alignment_api.spec.status import Progress

MOST_STEPS = 100_000_000
"""The most steps that a spec can set."""

_MOST_REASONS = 4
_is_reason = re.compile(re.escape(metrics.unanswered_of("")) + "[A-Za-z]{1,40}").fullmatch

_LONGEST_SECONDS_LEFT = 10 * 366 * 86_400


class Course:
    """The newest value of each metric of a stage; points are added as they come, each once."""

    def __init__(self) -> None:
        self._step, self._milliseconds = 0, 0
        self._latest: dict[str, float] = {}

    def add(self, time: int, step: int, metrics: Mapping[str, float]) -> None:
        """Add what was measured at a step; the time is in milliseconds since 1970."""
        self._step, self._milliseconds = max(self._step, step), max(self._milliseconds, time)
        if STEP in metrics:
            # The time left belongs to the step; that of an earlier attempt counts no more.
            self._latest.pop(SECONDS_LEFT, None)
        self._latest.update(metrics)

    def progress(self, updated_time: datetime | None = None) -> Progress | None:
        """Return how far the stage is, by default as of the newest point; None while the number of steps is unknown."""
        return bounded_progress(
            int(self._latest.get(STEP, self._step)),
            self._latest.get(TOTAL_STEPS, math.nan),
            self._latest.get(SECONDS_LEFT),
            self._latest,
            updated_time or datetime.fromtimestamp(self._milliseconds // 1000, UTC),
        )


def course_of(points: Iterable[Point]) -> Course:
    """Return the course that the points of a journal describe."""
    course = Course()
    for point in points:
        course.add(point.time, point.step, point.newest)
    return course


def bounded_progress(
    step: int, total_steps: float, seconds_left: float | None, values: Mapping[str, float], updated_time: datetime
) -> Progress | None:
    """Return a progress that a status can hold, whatever a pod has written; None if no stage can have so many steps."""
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
        metrics=_shown(values),
    )


def _shown(values: Mapping[str, float]) -> dict[str, float]:
    """Return the headlines, and the most frequent reasons: a status stays small, whatever a pod has written."""
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    reasons = sorted((-count, name) for name, count in known.items() if count > 0 and _is_reason(name))[:_MOST_REASONS]
    headlines = {name: known[name] for name in metrics.HEADLINES if name in known}
    return {**headlines, **{name: known[name] for _, name in reasons}}
