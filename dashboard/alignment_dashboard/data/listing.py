"""A listing of jobs as every source returns it, and the parsing of one job."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from alignment_api.problems import from_validation
from alignment_api.resolving.recipes import UnknownRecipe, resolve
from alignment_api.spec.job import AlignmentJob
from pydantic import ValidationError


class Failure(NamedTuple):
    """Why a source cannot be read, as a sentence for the page, and the command that repairs it, if there is one."""

    label: str
    message: str
    command: str | None = None


class Guidance(NamedTuple):
    """Sentences of the pages that differ between the local folder and a cluster."""

    empty: str
    explanation: str
    command: str
    elsewhere: str
    missing: str
    """Why a job may be missing."""
    unseen: str | None
    """What to do about a job without a status; None where no operator is needed."""
    silence: Callable[[AlignmentJob, str], str]
    """What to do about a stage that reports no progress, from its job and its name."""


@dataclass(frozen=True)
class Listing:
    """All jobs of a source at one moment."""

    jobs: tuple[AlignmentJob, ...]
    problems: tuple[str, ...]
    """One sentence for each job that cannot be read, or for all of them."""
    guidance: Guidance
    failures: tuple[Failure, ...] = ()
    """Why the jobs may be stale or incomplete."""
    answered: bool = True

    @property
    def complete(self) -> bool:
        """Whether a job that is not in this listing does not exist."""
        return self.answered and not self.failures

    def find(self, identity: str) -> AlignmentJob | None:
        """Return the job with this identity, or None."""
        return next((job for job in self.jobs if identify(job) == identity), None)


class UnreadableJob(ValueError):
    """A document that is not a complete AlignmentJob of this version."""


def identify(job: AlignmentJob) -> str:
    """Return the uid, which differs even from that of a later job with the same name; else namespace and name."""
    return job.metadata.uid or f"{job.metadata.namespace or 'default'}/{job.metadata.name}"


def parse_job(document: Any) -> AlignmentJob:
    """Parse a stored job, and leave out the fields that only a newer version has. Raises UnreadableJob."""
    try:
        return _with_stages(_parse_known(document))
    except ValidationError as error:
        problem = from_validation(error, AlignmentJob)[0]
        raise UnreadableJob(f"is not an AlignmentJob that this version can read ({problem})") from error


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
        return job  # the recipe or a value is of another version; the page then takes the stages from the status
