"""What a stage achieved, first and last values of the metrics that tell, read from its journal."""

import math
from pathlib import Path
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE

TELLING = {
    "loss": metrics.LOSS,
    "held-out loss": metrics.EVALUATION_LOSS,
    "reward margin": metrics.EVALUATION_REWARD_MARGIN,
    "reward accuracy": metrics.EVALUATION_REWARD_ACCURACY,
}


class Change(NamedTuple):
    """How a metric moved over the stage."""

    name: str
    first: float
    last: float


def metric_changes(stage_folder: Path) -> list[Change]:
    """Read how the telling metrics of a stage moved."""
    values: dict[str, list[float]] = {}
    for point in read_points(stage_folder / METRICS_FILE):
        for name, value in point.metrics.items():
            if math.isfinite(value):
                values.setdefault(name, []).append(value)
    return [Change(name, values[key][0], values[key][-1]) for name, key in TELLING.items() if key in values]
