"""What a source of jobs told at one moment, and how one job is read; the same for every source."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from alignment_api.resolving.recipes import UnknownRecipe, resolve
from alignment_api.spec.job import AlignmentJob
from pydantic import ValidationError


class Failure(NamedTuple):
    """Why a source could not be read, in a sentence for the page, and the command that mends it where there is one."""

    label: str
    message: str
    command: str | None = None


class Guidance(NamedTuple):
    """What a page says that depends on where jobs lie."""

    empty: str
    explanation: str
    command: str
    elsewhere: str
    missing: str
    """Why a job that was asked for may not be here."""
    unseen: str | None
    """What to do about a job that nobody looks at; None where that cannot happen."""
    silence: Callable[[AlignmentJob, str], str]
    """What to do about a job and its stage that tell nothing any more."""


@dataclass(frozen=True)
class Listing:
    """All that a source told."""

    jobs: tuple[AlignmentJob, ...]
    problems: tuple[str, ...]
    """Which jobs cannot be read."""
    guidance: Guidance
    failures: tuple[Failure, ...] = ()
    """Why the jobs may be old or not all."""
    answered: bool = True

    @property
    def complete(self) -> bool:
        """Say whether a job that is not among these does not exist."""
        return self.answered and not self.failures

    def find(self, identity: str) -> AlignmentJob | None:
        """Find a job by its identity."""
        return next((job for job in self.jobs if identify(job) == identity), None)


class UnreadableJob(ValueError):
    """Something that is no job, or not yet."""


def identify(job: AlignmentJob) -> str:
    """Give what tells this job from all others, also from a later one of its name."""
    return job.metadata.uid or f"{job.metadata.namespace or 'default'}/{job.metadata.name}"


def parse_job(document: Any) -> AlignmentJob:
    """Read a job as it was stored, without the fields that only a newer version knows. Raises UnreadableJob."""
    try:
        return _with_stages(_parse_known(document))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UnreadableJob(f"is not an AlignmentJob that this version knows ({where}: {first['msg']})") from error


def _parse_known(document: Any) -> AlignmentJob:
    try:
        return AlignmentJob.parse_stored(document)
    except ValidationError as error:
        unknown = [found["loc"] for found in error.errors() if found["type"] == "extra_forbidden"]
        if not unknown:
            raise
    return AlignmentJob.parse_stored(_without(document, unknown))


def _without(document: Any, paths: list[tuple[int | str, ...]]) -> Any:
    rest = copy.deepcopy(document)
    for *parents, last in paths:
        parent = rest
        for part in parents:
            parent = parent[part]
        del parent[last]
    return rest


def _with_stages(job: AlignmentJob) -> AlignmentJob:
    if job.spec.stages:
        return job
    try:
        return job.model_copy(update={"spec": resolve(job.spec).spec})
    except (UnknownRecipe, ValidationError):
        return job  # a recipe, or a value, of another version: its status says enough
