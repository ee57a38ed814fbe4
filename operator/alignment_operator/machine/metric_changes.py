"""Reads from a stage's journal how its main metrics changed: the first and the last value of each."""

import math
from pathlib import Path
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE

_SHOWN = {
    "loss": metrics.LOSS,
    "held-out loss": metrics.EVALUATION_LOSS,
    "reward margin": metrics.EVALUATION_REWARD_MARGIN,
    "reward accuracy": metrics.EVALUATION_REWARD_ACCURACY,
}
_SHOWN_OF_ROUNDS = _SHOWN | {"log-probability of chosen": metrics.LOGPS_CHOSEN}
"""Training away from the student's answers can make the teacher's less likely too, while a judge still sees a gain."""


class Change(NamedTuple):
    """The first and the last value of a metric in a stage."""

    name: str
    first: float
    last: float


def metric_changes(stage_folder: Path) -> list[Change]:
    """Read how the main metrics of a stage changed."""
    values: dict[str, list[float]] = {}
    shown = _SHOWN
    for point in read_points(stage_folder / METRICS_FILE):
        if metrics.ROUND in point.newest:
            shown = _SHOWN_OF_ROUNDS
        for name, value in point.metrics.items():
            if math.isfinite(value):
                values.setdefault(name, []).append(value)
    return [Change(name, values[key][0], values[key][-1]) for name, key in shown.items() if key in values]
