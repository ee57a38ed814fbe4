"""The outlines of many runs, for sparklines: those of ended stages are read once they have values, the others now and then."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from alignment_dashboard.store.newest import by_stage
from alignment_dashboard.store.store import Store

POINTS = 40
RUNS_AT_ONCE = 100
GROWING_SECONDS, EMPTY_SECONDS = 20.0, 60.0


class Target(NamedTuple):
    """Whose outline is wanted."""

    job_uid: str
    stage: str
    run_id: str | None
    """As the job's status names it; None if it does not."""
    has_ended: bool


class Outline(NamedTuple):
    """An outline, and when it was read, in seconds."""

    target: Target
    values: list[float]
    read_at: float


Outlines = Mapping[str, Outline]
"""Outlines by the uid of their job."""


def due(targets: Iterable[Target], known: Outlines, now: float) -> list[Target]:
    """Return the targets whose outlines are not known, or old."""
    return [target for target in targets if _is_due(target, known.get(target.job_uid), now)]


def read_outlines(store: Store, metric: str, targets: Iterable[Target], now: float) -> dict[str, Outline]:
    """Read the outlines of some targets."""
    run_ids = {target: target.run_id or _find(store, target) for target in targets}
    found = store.outlines([run_id for run_id in run_ids.values() if run_id], metric, POINTS)
    # No line can show NaN and infinity, and a NaN equals nothing.
    return {
        target.job_uid: Outline(target, [value for value in found.get(run_id or "", []) if math.isfinite(value)], now)
        for target, run_id in run_ids.items()
    }


def _is_due(target: Target, known: Outline | None, now: float) -> bool:
    if known is None or known.target != target:
        return True
    # What an ended stage measured last may reach MLflow late.
    pause = GROWING_SECONDS if not target.has_ended else math.inf if known.values else EMPTY_SECONDS
    return now - known.read_at >= pause


def _find(store: Store, target: Target) -> str | None:
    run = by_stage(store.runs_of(target.job_uid)).get(target.stage)
    return run.run_id if run else None
