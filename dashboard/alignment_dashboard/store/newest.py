"""Chooses the newest runs: a stage that began anew has several."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from alignment_api.runs import Beginning, newest_run

from alignment_dashboard.store.stored_run import StoredRun, milliseconds

Key = TypeVar("Key", bound=Hashable)


def by_stage(runs: Iterable[StoredRun]) -> Mapping[str | None, StoredRun]:
    """Return the newest run of each stage; None stands for the whole job."""
    return _newest(runs, lambda run: run.stage)


def by_job(runs: Iterable[StoredRun]) -> Mapping[str, StoredRun]:
    """Return the newest run of each job."""
    return _newest(runs, lambda run: run.job_uid)


def _newest(runs: Iterable[StoredRun], key: Callable[[StoredRun], Key]) -> dict[Key, StoredRun]:
    groups: dict[Key, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    now = time.time_ns() // 1_000_000
    return {name: newest for name, group in groups.items() if (newest := newest_run(group, _beginning, now))}


def _beginning(run: StoredRun) -> Beginning:
    return Beginning(milliseconds(run.start_time) if run.start_time else None, run.run_id)
