"""What every store of runs answers; the pages do not know which one they read."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from alignment_dashboard.store.history import History
from alignment_dashboard.store.stored_run import StoredRun


class StoreUnavailable(Exception):
    """MLflow cannot be read now; the message is a sentence for the page."""


class Store(Protocol):
    """Reads from MLflow. Every method may raise StoreUnavailable."""

    def runs(self) -> list[StoredRun]:
        """Return the run of every job and of every stage."""

    def runs_of(self, job_uid: str) -> list[StoredRun]:
        """Return the runs of one job and of its stages."""

    def history(self, run_id: str, metric: str, after_step: int | None = None) -> History:
        """Return the points of a metric, or only those after a step."""

    def outlines(self, run_ids: Sequence[str], metric: str, points: int) -> Mapping[str, list[float]]:
        """Return a few values of a metric for each of many runs, for sparklines."""

    def files(self, run_id: str, folder: str) -> list[str]:
        """Return the paths of the files in a folder of a run's files; an empty list if there is no such folder."""

    def read_file(self, run_id: str, path: str) -> bytes:
        """Return one of a run's files."""
