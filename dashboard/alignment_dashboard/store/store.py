"""What every store of runs answers; the pages do not know which one they read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from alignment_dashboard.keeper import Unavailable
from alignment_dashboard.store.history import Histories
from alignment_dashboard.store.stored_run import StoredRun


class StoreUnavailable(Unavailable):
    """MLflow cannot be read now; the message is a sentence for the page."""


class StoredFile(NamedTuple):
    """A file of a run: its path below the run's files, and its size in bytes."""

    path: str
    size: int


class Store(Protocol):
    """Reads from MLflow. Every method may raise StoreUnavailable."""

    def jobs(self, ended_after: datetime | None = None) -> list[StoredRun]:
        """Return the runs of whole jobs; with a moment, only those that run or ended after it."""

    def runs_of(self, job_uid: str) -> list[StoredRun]:
        """Return the runs of one job and of its stages."""

    def histories(self, run_id: str, since: Mapping[str, int | None]) -> Histories:
        """Return the points of each named metric from a step on, or all its points if no step is named for it."""

    def outlines(self, run_ids: Sequence[str], metric: str, points: int) -> Mapping[str, list[float]]:
        """Return about so many values of a metric for each of the runs, in the order of their steps; NaN is left out."""

    def files(self, run: StoredRun, folder: str) -> list[StoredFile]:
        """Return the files in a folder of a run; none if there is no such folder."""

    def read_end(self, run: StoredRun, file: StoredFile, most: int) -> bytes:
        """Return the last bytes of a file of a run, at most so many."""
