"""Tells how far a stage is prepared: as an activity, and with points in the journal for whoever reads nothing else."""

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
    """Give the items on, and say from time to time how far they are."""
    journal: Journal | None = None
    told = time.monotonic()
    for item in counted(items, what, total, unit):
        yield item
        if time.monotonic() - told >= every_seconds:
            told = time.monotonic()
            journal = journal or Journal(Path(config.paths.stage))
            journal.append(0, {}, {metrics.TOTAL_STEPS: float(most_steps(settings, total))})


def most_steps(settings: Settings, rows: int) -> int:
    """Say how many steps there will be at most: what does not fit, and packing, make them fewer."""
    return settings.max_steps or max(1, math.ceil(rows / settings.global_batch_size * (settings.epochs or 1)))
