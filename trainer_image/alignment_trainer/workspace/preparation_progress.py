"""Reports the progress of preparing rows: as an activity, and in the journal for readers of the journal alone."""

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from alignment_api import metrics
from alignment_api.run_config import RunConfig

from alignment_trainer.settings.training import Settings
from alignment_trainer.workspace.activity import counted
from alignment_trainer.workspace.journal import Journal

Item = TypeVar("Item")

_SECONDS = 15


def with_progress(
    items: Iterable[Item],
    total: int,
    what: str,
    unit: str,
    config: RunConfig,
    settings: Settings,
    every_seconds: float = _SECONDS,
) -> Iterator[Item]:
    """Yield the items, and report the progress every few seconds."""
    journal: Journal | None = None
    reported = time.monotonic()
    for item in counted(items, what, total, unit):
        yield item
        if time.monotonic() - reported >= every_seconds:
            reported = time.monotonic()
            journal = journal or Journal(Path(config.paths.stage))
            journal.append(0, {}, {metrics.TOTAL_STEPS: float(most_steps(settings, total))})


def most_steps(settings: Settings, rows: int) -> int:
    """Return the largest possible number of steps; dropped rows and packing make it smaller."""
    return settings.max_steps or max(1, math.ceil(rows / settings.global_batch_size * (settings.epochs or 1)))
