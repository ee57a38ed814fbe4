"""Chooses the newest runs: a stage that began anew has several."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from alignment_api.runs import Beginning, newest_first

from alignment_dashboard.store.stored_run import StoredRun, milliseconds

Key = TypeVar("Key", bound=Hashable)


class JobRuns(NamedTuple):
    """The runs of a job by their stages; None stands for the whole job."""

    newest: Mapping[str | None, StoredRun]
    of_stages: Mapping[str | None, Sequence[StoredRun]]
    """All of each stage, the newest first."""


NO_RUNS = JobRuns({}, {})


def by_stage(runs: Iterable[StoredRun]) -> Mapping[str | None, StoredRun]:
    """Return the newest run of each stage; None stands for the whole job."""
    return _newest(runs, lambda run: run.stage)


def runs_of_job(runs: Iterable[StoredRun]) -> JobRuns:
    """Return the runs of a job by their stages."""
    found = _ordered(runs, lambda run: run.stage)
    return JobRuns({stage: of_stage[0] for stage, of_stage in found.items()}, found)


def by_job(runs: Iterable[StoredRun]) -> Mapping[str, StoredRun]:
    """Return the newest run of each job."""
    return _newest(runs, lambda run: run.job_uid)


def _newest(runs: Iterable[StoredRun], key: Callable[[StoredRun], Key]) -> dict[Key, StoredRun]:
    return {name: found[0] for name, found in _ordered(runs, key).items()}


def _ordered(runs: Iterable[StoredRun], key: Callable[[StoredRun], Key]) -> dict[Key, list[StoredRun]]:
    groups: dict[Key, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    now = time.time_ns() // 1_000_000
    return {name: newest_first(group, _beginning, now) for name, group in groups.items()}


def _beginning(run: StoredRun) -> Beginning:
    return Beginning(milliseconds(run.start_time) if run.start_time else None, run.run_id)
