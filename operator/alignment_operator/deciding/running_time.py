"""How long a job's containers ran: the time that counts against activeDeadlineSeconds, and the GPU time; pure."""

from datetime import datetime

from alignment_api.spec.batch import gpus_of
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.status import AlignmentJobStatus, StageStatus

from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.situation import Situation, unended_child


def counted_time(situation: Situation, record: StageStatus, child: Child) -> dict[str, object]:
    """Return a stage's times with those of an attempt that ends; each attempt is added once, from when all containers ran."""
    if child.start_time is None or (record.counted_attempt or 0) >= child.attempt:
        return {}
    seconds = max(0, int(((child.end_time or situation.job.now) - child.start_time).total_seconds()))
    gpus = gpus_of(situation.run.compute)
    return {
        "counted_attempt": child.attempt,
        "active_seconds": record.active_seconds + seconds,
        "gpu_seconds": record.gpu_seconds + seconds * gpus,
    }


def counted_time_of_unended(situation: Situation, record: StageStatus) -> dict[str, object]:
    """Return a stage's times with those of the attempt that is about to be stopped."""
    child = unended_child(situation)
    return counted_time(situation, record, child) if child else {}


def seconds_to_deadline(
    spec: AlignmentJobSpec, status: AlignmentJobStatus, observed: list[Child], now: datetime
) -> tuple[float | None, bool]:
    """Return the seconds left until activeDeadlineSeconds, None without one, and whether containers use them up."""
    if not spec.active_deadline_seconds:
        return None, False
    stages = status.stages or []
    counted = {stage.name: stage.counted_attempt or 0 for stage in stages}
    running = [
        (now - child.start_time).total_seconds()
        for child in observed
        if child.state == "Running" and child.start_time and child.attempt > counted.get(child.stage, 0)
    ]
    active = sum(stage.active_seconds for stage in stages) + sum(running)
    left = spec.active_deadline_seconds - active
    # Stages side by side use up the time together.
    return left / max(1, len(running)), bool(running)
