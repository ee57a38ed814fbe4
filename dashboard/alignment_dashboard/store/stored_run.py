"""One MLflow run of a job or of a stage, as it was at one moment."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mark(NamedTuple):
    """Step and time of the latest value of a metric, the time in milliseconds since 1970."""

    step: int
    time: int


class StoredRun(NamedTuple):
    """A run; all attempts of a stage continue the same run."""

    run_id: str
    experiment_id: str
    job_uid: str
    stage: str | None
    """None for the run of the whole job, which is the parent of the runs of its stages."""
    kind: str | None
    status: str
    """MLflow's word: RUNNING, FINISHED, FAILED or KILLED."""
    start_time: datetime | None
    end_time: datetime | None
    artifacts: str
    """The uri of the run's files."""
    parameters: Mapping[str, str]
    latest: Mapping[str, float]
    """The latest value of each metric; NaN and infinity as they were logged."""
    marks: Mapping[str, Mark] = MappingProxyType({})
    """Where the latest value of each metric is: if it has not moved, the metric has no new points."""
    input_hash: str | None = None
    """The hash of the inputs that the stage's run is of."""

    @property
    def is_running(self) -> bool:
        """Return whether the run may get new points."""
        return self.status == "RUNNING"


def moment(milliseconds: int | None) -> datetime | None:
    """Return the moment so many milliseconds after 1970; None if there is none or the calendar does not reach that far."""
    if milliseconds is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def milliseconds(time: datetime) -> int:
    """Return how many milliseconds after 1970 a moment is."""
    return (time - _EPOCH) // timedelta(milliseconds=1)
