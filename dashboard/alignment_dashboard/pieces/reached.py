"""What the runs of a comparison reached, read from MLflow and from their statuses."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.finals import Finals, finals
from alignment_dashboard.facts.status import stage_of


class Reached(NamedTuple):
    """What the runs reached in one stage, and what could not be read."""

    runs: dict[str, Finals]
    problem: str | None
    as_of: datetime


def read(jobs: Sequence[AlignmentJob], stage: str) -> Reached:
    """Read what each run reached in a stage."""
    whole = cache.headlines()
    runs, problem = {}, whole.problem
    for job in jobs:
        uid, status = identify(job), stage_of(job, stage)
        reached = finals(stage, whole.value.get(uid), None, status)
        if not reached.best:
            # A trainer of an earlier version, or one that has not evaluated yet: the stage's own run has the last values.
            own = cache.runs(uid)
            problem = problem or own.problem
            reached = finals(stage, whole.value.get(uid), own.value.get(stage), status)
        runs[uid] = reached
    return Reached(runs, problem, whole.as_of)


def moment(jobs: Sequence[AlignmentJob], stage: str) -> object:
    """Return what the results are drawn from; as text, because NaN is not equal to NaN."""
    reached = read(jobs, stage)
    return repr(reached.runs), reached.problem
