"""Reads the progress of local stages from the files that their processes write."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.heartbeat import Activity, activity_text, read_activity, read_warnings
from alignment_api.journal import Point, read_points
from alignment_api.names import ACTIVITY_FILE, METRICS_FILE, SHIPPED_FILE, WARNINGS_FILE
from alignment_api.progress.course import course_of
from alignment_api.runs import RunIds, read_run_ids
from alignment_api.spec.status import Progress, TrackingStatus

from alignment_operator.deciding.observation import Child, Pulse
from alignment_operator.deciding.untrusted import bounded_warnings

_JOURNAL_TAIL_BYTES = 65_536


class KnownRuns(NamedTuple):
    """The MLflow runs that a stage has been shipped to, and when that was last recorded."""

    ids: RunIds
    time: float


class StageFiles(NamedTuple):
    """What the files of a stage's folder contain."""

    progress: Progress | None
    pulse: Pulse | None
    runs: KnownRuns | None


def read_stage(stage: Path, running: Child | None, now: datetime) -> StageFiles:
    """Read a stage's journal, and what the running attempt does outside training steps (loading, saving)."""
    points = _newest_points(stage / METRICS_FILE)
    activity = _activity(stage / ACTIVITY_FILE, running)
    runs = _known_runs(stage / SHIPPED_FILE)
    progress = course_of(points).progress()
    if progress and activity and activity.time > progress.updated_time:
        progress = progress.model_copy(update={"updated_time": activity.time.replace(microsecond=0)})
    if running is None or running.start_time is None:
        return StageFiles(progress, None, runs)
    since = running.start_time.timestamp() * 1000
    # A repeated step logs no loss again, but always the time left.
    has_stepped = any(metrics.SECONDS_LEFT in point.newest and point.time >= since for point in points)
    if progress and not has_stepped:
        # An earlier attempt expected it.
        progress = progress.model_copy(update={"seconds_left": None})
    pulse = Pulse(
        attempt=running.attempt,
        heard_time=now,
        # Its lock already proves that a local process is alive.
        alive_time=now,
        has_stepped=has_stepped,
        doing=activity_text(activity) if activity else None,
        warnings=bounded_warnings(read_warnings(stage / WARNINGS_FILE)),
    )
    return StageFiles(progress, pulse, runs)


def tracking_of(known: list[KnownRuns]) -> TrackingStatus | None:
    """Return the run of the whole job that its stages were shipped to last."""
    newest = max(known, key=lambda runs: runs.time, default=None)
    if newest is None or newest.ids.job_run_id is None:
        return None
    return TrackingStatus(experiment_id=newest.ids.experiment_id, run_id=newest.ids.job_run_id)


def _known_runs(record: Path) -> KnownRuns | None:
    """Read what the trainer has recorded: no request to MLflow, which may be away."""
    ids = read_run_ids(record)
    try:
        return KnownRuns(ids, record.stat().st_mtime) if ids else None
    except FileNotFoundError:
        # The trainer has just set the folder of other inputs aside.
        return None


def _activity(file: Path, running: Child | None) -> Activity | None:
    """Read the current activity; one that an earlier attempt left is ignored."""
    activity = read_activity(file)
    if activity is None:
        return None
    is_ours = running is not None and running.start_time is not None and activity.time >= running.start_time
    return activity if is_ours else None


def _newest_points(journal: Path) -> list[Point]:
    size = journal.stat().st_size if journal.exists() else 0
    # Reading may start in the middle of a line; the rest of that line is not a point, and is skipped.
    return list(read_points(journal, max(0, size - _JOURNAL_TAIL_BYTES)))
