"""Which stages of a job build on which, and the GPUs of each, from its resolved spec; pure."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from alignment_api.spec.batch import gpus_of
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import stages_needed
from pydantic import ValidationError


class Branch(NamedTuple):
    """What a stage builds on, and how many GPUs it uses."""

    needed: tuple[str, ...]
    gpus: int


def branches_of(job: AlignmentJob) -> Mapping[str, Branch]:
    """Return the branches by stage; empty if this version cannot read the spec."""
    record = job.status.record if job.status else None
    found = _branches(record.resolved) if record else {}
    return found or _branches(json.dumps(job.spec.dump()))


def depths(job: AlignmentJob) -> dict[str, int] | None:
    """Return how many stages must end before each, one after the other; None if the spec does not say it."""
    found: dict[str, int] = {}
    for name, branch in branches_of(job).items():
        found[name] = max((found[needed] + 1 for needed in branch.needed), default=0)
    return found or None


def is_chain(job: AlignmentJob) -> bool:
    """Return whether each stage builds on the one before it, as far as is known."""
    names = list(branches_of(job))
    return all(branch.needed == tuple(names[max(0, index - 1) : index]) for index, branch in enumerate(branches_of(job).values()))


@lru_cache(maxsize=512)
def _branches(spec: str) -> Mapping[str, Branch]:
    try:
        read = AlignmentJobSpec.parse_stored(json.loads(spec))
    except (ValueError, ValidationError):
        return {}
    return {
        stage.name: Branch(tuple(known.name for known in stages_needed(read, stage)), gpus_of(read.compute_of(stage)))
        for stage in read.stages or []
    }
