"""One MLflow run of a job or of a stage, as it was at one moment."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


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
