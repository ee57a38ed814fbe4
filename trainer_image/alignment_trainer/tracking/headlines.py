"""The latest and the best values of a stage, which the run of the whole job shows; pure."""

import math
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.journal import Point


class Measured(NamedTuple):
    """One value of a metric, with its time in milliseconds since 1970."""

    name: str
    value: float
    time: int
    step: int


class Headlines:
    """The headline metrics of one stage; adding a point again changes nothing."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._latest: dict[str, Measured] = {}
        self._best: dict[str, Measured] = {}

    def add(self, point: Point) -> None:
        """Add what was measured at a step."""
        for metric in filter(metrics.is_of_job, point.metrics):
            measured = Measured(metric, point.metrics[metric], point.time, point.step)
            if metric not in self._latest or point.step >= self._latest[metric].step:
                self._latest[metric] = measured
            if _is_better(measured, self._best.get(metric)):
                self._best[metric] = measured

    def values(self) -> set[Measured]:
        """Return them as the run of the whole job names them, each with the step and the time at which it was measured."""
        latest = {found._replace(name=metrics.of_stage(self._stage, name)) for name, found in self._latest.items()}
        return latest | {found._replace(name=metrics.best_of_stage(self._stage, name)) for name, found in self._best.items()}


def _is_better(measured: Measured, known: Measured | None) -> bool:
    """Return whether an evaluation is the best so far; one without a number never is."""
    choose = metrics.BEST_OF.get(measured.name)
    if choose is None or measured.step == 0 or not math.isfinite(measured.value):
        return False
    return known is None or choose(measured.value, known.value) != known.value
