"""Reads the jobs of the local folder; a file that cannot be read becomes a sentence beside the other jobs."""

import json
from functools import lru_cache
from pathlib import Path

from alignment_api.home import Home
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import Guidance, Listing, UnreadableJob, parse_job


def read_jobs() -> Listing:
    """Read every job of the folder."""
    home = Home.from_environment()
    jobs, problems = [], []
    for path in home.job_files():
        try:
            jobs.append(_read(path))
        except FileNotFoundError:
            continue  # deleted after it was listed
        except UnreadableJob as error:
            problems.append(f"{path.relative_to(home.root)} {error}")
    return Listing(tuple(jobs), tuple(problems), _guidance(home))


def _read(path: Path) -> AlignmentJob:
    try:
        found = path.stat()
        return _parse(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableJob(f"cannot be read ({error.strerror}); check the permissions of the file") from error


# Most jobs have ended, so a file is parsed again only when it has changed.
@lru_cache(maxsize=2048)
def _parse(path: Path, _modified: int, _size: int, _inode: int) -> AlignmentJob:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableJob("is not complete JSON; if this message stays, start the job again or remove the file") from error
    return parse_job(document)


def _guidance(home: Home) -> Guidance:
    return Guidance(
        empty="No jobs yet" if home.objects.is_dir() else "Nothing has run here yet",
        explanation=f"This page reads {home.objects} and shows a job as soon as it starts. Start one with:",
        command="alignment run examples/tiny.yaml",
        elsewhere="Jobs in another folder? Set ALIGNMENT_HOME, or serve this page with --home FOLDER.",
        missing="it was deleted, or it is in another folder (ALIGNMENT_HOME).",
        unseen=None,
        silence=_silence,
    )


def _silence(_job: AlignmentJob, _stage: str) -> str:
    return "If “alignment run” has ended, start it again: it resumes from the newest checkpoint."
