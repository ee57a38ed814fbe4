"""The runs of all whole jobs: what runs is read often, all of them rarely."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from alignment_dashboard.store.newest import by_job
from alignment_dashboard.store.store import Store
from alignment_dashboard.store.stored_run import StoredRun

WHOLE = timedelta(minutes=1)
"""How often all runs are read: a run may have been deleted, or another clock may have set its end."""

CLOCKS_DIFFER = timedelta(minutes=10)


class Headlines(NamedTuple):
    """The runs by their id, and when all of them were read."""

    runs: Mapping[str, StoredRun]
    whole_at: datetime | None

    @property
    def by_job(self) -> Mapping[str, StoredRun]:
        """Return the newest run of each job, by the job's uid."""
        return by_job(self.runs.values())

    @property
    def is_growing(self) -> bool:
        """Return whether a job may get new values."""
        return any(run.is_running for run in self.runs.values())


NO_HEADLINES = Headlines({}, None)


def read_headlines(store: Store, known: Headlines, now: datetime) -> Headlines:
    """Read what has changed since the last reading, or everything."""
    if known.whole_at is None or now - known.whole_at >= WHOLE:
        return Headlines(_kept(store.jobs(), known), now)
    return known._replace(runs={**known.runs, **_kept(store.jobs(ended_after=now - CLOCKS_DIFFER), known)})


def _kept(runs: Iterable[StoredRun], known: Headlines) -> dict[str, StoredRun]:
    """Return runs by their id; one that has not changed stays the same object, so that memory does not fall into pieces."""
    return {run.run_id: before if (before := known.runs.get(run.run_id)) == run else run for run in runs}
