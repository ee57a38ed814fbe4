"""Reads the jobs of the local folder; a file that cannot be read becomes a sentence, and never hides the other jobs."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from alignment_api.home import Home
from alignment_api.job import AlignmentJob
from alignment_api.recipes import UnknownRecipe, resolve
from pydantic import ValidationError


@dataclass(frozen=True)
class Listing:
    """All that the folder told at one moment."""

    jobs: tuple[AlignmentJob, ...]
    problems: tuple[str, ...]
    folder_exists: bool = True

    def find(self, identity: str) -> AlignmentJob | None:
        """Find a job by its identity."""
        return next((job for job in self.jobs if identify(job) == identity), None)


class UnreadableJob(ValueError):
    """A file that is no job, or not yet."""


def identify(job: AlignmentJob) -> str:
    """Give what tells this job from all others, also from a later one of its name."""
    return job.metadata.uid or f"{job.metadata.namespace or 'default'}/{job.metadata.name}"


def read_jobs(home: Home) -> Listing:
    """Read every job of a home."""
    jobs, problems = [], []
    for path in home.job_files():
        try:
            jobs.append(_read(path))
        except FileNotFoundError:
            continue  # deleted since it was listed
        except UnreadableJob as error:
            problems.append(f"{path.relative_to(home.root)} {error}")
    return Listing(tuple(jobs), tuple(problems), home.objects.is_dir())


def _read(path: Path) -> AlignmentJob:
    try:
        found = path.stat()
        return _parse(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableJob(f"cannot be read ({error.strerror}); check who may read the file") from error


# Most of many jobs have ended and stay as they are, so a file is parsed again only when it has changed.
@lru_cache(maxsize=2048)
def _parse(path: Path, _modified: int, _size: int, _inode: int) -> AlignmentJob:
    try:
        return _with_stages(AlignmentJob.parse(json.loads(path.read_text(encoding="utf-8"))))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise UnreadableJob(f"is not an AlignmentJob that this version knows ({where}: {first['msg']})") from error
    except ValueError as error:
        raise UnreadableJob("is not complete JSON; if it stays so, start the job again or remove the file") from error


def _with_stages(job: AlignmentJob) -> AlignmentJob:
    if job.spec.stages:
        return job
    try:
        return job.model_copy(update={"spec": resolve(job.spec).spec})
    except UnknownRecipe:
        return job  # a newer version's recipe: its status says enough
