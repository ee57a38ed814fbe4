"""How far the stages of a job of this machine are: read from the files that their processes write."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.heartbeat import Activity, told
from alignment_api.journal import Point, read_points
from alignment_api.names import ACTIVITY_FILE, METRICS_FILE
from alignment_api.progress import Course
from alignment_api.spec.status import Progress

from alignment_operator.deciding.observation import Child, Pulse

_JOURNAL_TAIL_BYTES = 65_536


class StageFiles(NamedTuple):
    """What a stage's folder tells."""

    progress: Progress | None
    pulse: Pulse | None


def read_stage(stage: Path, running: Child | None, now: datetime) -> StageFiles:
    """Read a stage's journal, and what the attempt that runs does beside training steps."""
    points = _newest_points(stage / METRICS_FILE)
    activity = _activity(stage / ACTIVITY_FILE, running)
    course = Course()
    for point in points:
        course.add(*point)
    progress = course.progress()
    if progress and activity and activity.time > progress.updated_time:
        progress = progress.model_copy(update={"updated_time": activity.time.replace(microsecond=0)})
    if running is None or running.start_time is None:
        return StageFiles(progress, None)
    since = running.start_time.timestamp() * 1000
    pulse = Pulse(
        attempt=running.attempt,
        heard_time=now,
        # A process of this machine is seen to live; whoever started it sees whether it works.
        alive_time=now,
        # Steps that are trained again repeat no loss, but always tell the time that is left.
        has_stepped=any(metrics.SECONDS_LEFT in point.metrics and point.time >= since for point in points),
        doing=told(activity) if activity else None,
    )
    return StageFiles(progress, pulse)


def _activity(file: Path, running: Child | None) -> Activity | None:
    """Read what is being done; what an earlier attempt left does not count."""
    try:
        activity = Activity.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    is_ours = running is not None and running.start_time is not None and activity.time >= running.start_time
    return activity if is_ours else None


def _newest_points(journal: Path) -> list[Point]:
    size = journal.stat().st_size if journal.exists() else 0
    # The end of a line in whose middle the reading begins is no point, and is left out.
    return list(read_points(journal, max(0, size - _JOURNAL_TAIL_BYTES)))
