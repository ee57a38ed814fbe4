"""Which of the observed children the operator can have created; all others are ignored; pure."""

from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import StageStatus

from alignment_operator.deciding.observation import Child

_MOST_ATTEMPTS_UNRECORDED = 999
"""If a job's status was lost, its children show which attempt is the newest; higher numbers are not believed."""


def own_children(job: AlignmentJob, found: list[Child]) -> list[Child]:
    """Return the children without those that only look like the job's own."""
    stages = job.status.stages if job.status else None
    if not stages:
        return [child for child in found if child.attempt <= _MOST_ATTEMPTS_UNRECORDED]
    records = {stage.name: stage for stage in stages}
    return [child for child in found if _can_be_own(child, records.get(child.stage), found)]


def _can_be_own(child: Child, record: StageStatus | None, found: list[Child]) -> bool:
    attempts = record.attempts if record else 0
    if child.attempt > attempts:
        # The next attempt is created only after all earlier ones are gone; pods without a child belong to an earlier one.
        others = [other for other in found if other.stage == child.stage and other.attempt <= attempts]
        return child.attempt == attempts + 1 and bool(child.uid) and not others
    is_newest = child.attempt == attempts and child.uid and record and record.child_uid
    return not is_newest or (record is not None and child.uid == record.child_uid)
