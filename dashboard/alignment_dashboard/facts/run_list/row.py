"""A run as one row of a list: every value typed, so that a table sorts numbers as numbers and times as times."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from alignment_api.metrics import (
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_REWARD_MARGIN,
    LOSS,
    REWARD_ACCURACY,
    REWARD_MARGIN,
    of_stage,
)
from alignment_api.resolving.parameters import Value
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED, StageStatus

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.configuration import parameters
from alignment_dashboard.facts.stages import trained_stages
from alignment_dashboard.facts.status import (
    BEGUN,
    model_of,
    percent_of,
    phase_of,
    stages_of,
    status_of,
    write_reason,
    write_stages,
)
from alignment_dashboard.store.stored_run import StoredRun

METRICS = {
    "eval.accuracy": EVALUATION_REWARD_ACCURACY,
    "eval.margin": EVALUATION_REWARD_MARGIN,
    "eval.loss": EVALUATION_LOSS,
    "loss": LOSS,
    "train.accuracy": REWARD_ACCURACY,
    "train.margin": REWARD_MARGIN,
}
"""The measured columns of the list, by the name that people type; what was measured on the holdout comes first."""

_LOSSES = (LOSS, EVALUATION_LOSS)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Row(NamedTuple):
    """What the list knows of one run."""

    identity: str
    name: str
    namespace: str
    phase: str
    stages: str
    percent: int | None
    ends: datetime | None
    """When the last of the current stages should end; only while it runs."""
    model: str | None
    parameters: Mapping[str, Value]
    metrics: Mapping[str, float]
    """The latest value of each of METRICS that the run has; NaN is always the same object, math.nan."""
    gpu_hours: float | None
    created: datetime | None
    started: datetime | None
    reason: str
    charted: str | None
    """The stage whose loss is drawn beside the numbers."""


def row_of(job: AlignmentJob, run: StoredRun | None) -> Row:
    """Return the row of a job; `run` is what MLflow knows of the whole job."""
    status, phase = status_of(job), phase_of(job)
    return Row(
        identity=identify(job),
        name=job.metadata.name,
        namespace=job.metadata.namespace or "default",
        phase=phase,
        stages=write_stages(job),
        percent=percent_of(job),
        ends=status.estimated_completion_time if phase == "Running" else None,
        model=model_of(job),
        parameters=parameters(job),
        metrics=_metrics(job, run),
        gpu_hours=None if status.gpu_seconds is None else status.gpu_seconds / 3600,
        created=job.metadata.creation_timestamp,
        started=status.start_time,
        reason=write_reason(status.reason, status.message),
        charted=_charted(job),
    )


def newest_first(row: Row) -> tuple[bool, float, str]:
    """Return the sort key of a list as it opens: first what still runs, then the newest."""
    return row.phase in ENDED, -(row.started or row.created or _LONG_AGO).timestamp(), row.name


def _metrics(job: AlignmentJob, run: StoredRun | None) -> dict[str, float]:
    """Return the latest value of each metric; the loss is that of the last stage that trains."""
    known: dict[str, float] = {}
    trained = _trained(job)
    for stage in stages_of(job):
        if stage.name in trained and stage.state in BEGUN:
            known = {metric: value for metric, value in known.items() if metric not in _LOSSES}
        known |= _measured(job, stage, run)
    return {name: _equal_to_itself(known[metric]) for name, metric in METRICS.items() if metric in known}


def _measured(job: AlignmentJob, stage: StageStatus, run: StoredRun | None) -> dict[str, float]:
    """Return what a stage measured last; its status is newer than MLflow while the job runs, but has no NaN."""
    latest = run.latest if run else {}
    stored = {metric: latest[key] for metric in METRICS.values() if (key := of_stage(stage.name, metric)) in latest}
    reported = (stage.progress.metrics or {}) if stage.progress else {}
    return {**reported, **stored} if phase_of(job) in ENDED else {**stored, **reported}


def _equal_to_itself(value: float) -> float:
    """Return the one NaN for every NaN, so that a row that has not changed equals itself."""
    return math.nan if math.isnan(value) else value


def _charted(job: AlignmentJob) -> str | None:
    trained = _trained(job)
    started = [stage.name for stage in stages_of(job) if stage.state != "Waiting" and stage.name in trained]
    return started[-1] if started else None


def _trained(job: AlignmentJob) -> list[str]:
    """Return the stages that have a loss; all, if a recipe of another version names them."""
    return list(trained_stages(job)) or [stage.name for stage in stages_of(job)]
