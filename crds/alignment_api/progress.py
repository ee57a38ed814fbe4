"""How far a stage is, from the points that it has measured, wherever they are read from; pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from alignment_api import metrics
from alignment_api.spec.status import Progress


class Course:
    """The newest value of each metric of a stage; points are added as they come, each once."""

    def __init__(self) -> None:
        self._step, self._milliseconds = 0, 0
        self._latest: dict[str, float] = {}

    def add(self, time: int, step: int, metrics: Mapping[str, float]) -> None:
        """Take what was measured at a step; the time is in milliseconds since 1970."""
        self._step, self._milliseconds = max(self._step, step), max(self._milliseconds, time)
        self._latest.update(metrics)

    def progress(self) -> Progress | None:
        """Say how far the stage is; nothing before it is known how many steps there will be."""
        finite = {name: value for name, value in self._latest.items() if math.isfinite(value)}
        total = int(finite.get(metrics.TOTAL_STEPS, 0))
        if total < 1:
            return None
        left = finite.get(metrics.SECONDS_LEFT)
        return Progress(
            step=self._step,
            total_steps=total,
            percent=min(100, 100 * self._step // total),
            seconds_left=None if left is None else max(0, round(left)),
            updated_time=datetime.fromtimestamp(self._milliseconds // 1000, UTC),
            metrics={name: finite[name] for name in metrics.HEADLINES if name in finite},
        )
