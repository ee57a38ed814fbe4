"""Reads what the stages of a job on this machine have reported, from their folders."""

from pathlib import Path

from alignment_api.home import Home
from alignment_api.names import REPORT_FILE, stage_folder
from alignment_api.resolving.recipes import resolve
from alignment_api.results.collected import ReportFile, Reports, collected, reports
from alignment_api.results.reading import rows_file
from alignment_api.spec.job import AlignmentJob

from alignment_operator.machine.stored_job import stored_job
from alignment_operator.progress.tracked_reports import NoResults


class StoredReports:
    """Reads one job of a home."""

    def __init__(self, home: Home, name: str) -> None:
        self._home, self._job = home, _find(home, name)

    def reports(self) -> Reports:
        """Return all reports of the job. Raises NoResults if it has no stage that reports."""
        stages = [(stage.name, stage.kind) for stage in resolve(self._job.spec).spec.stages or [] if reports(stage.kind)]
        if not stages:
            raise NoResults(f"{self._job.metadata.name} has no stage that evaluates or exports; add one to its spec")
        return collected(self._job.metadata.name, [self._file(stage, kind) for stage, kind in stages])

    def rows(self, stage: str, task: str, model: str) -> bytes | None:
        """Return the rows of a model in a task; None if there are none."""
        return _read(self._folder(stage) / rows_file(task, model))

    def _file(self, stage: str, kind: str) -> ReportFile:
        path = self._folder(stage) / REPORT_FILE
        return ReportFile(stage, kind, _read(path), str(path))

    def _folder(self, stage: str) -> Path:
        known = self._job.metadata
        return self._home.workspace / stage_folder(known.namespace or "default", known.name, known.uid or "", stage)


def _find(home: Home, name: str) -> AlignmentJob:
    # The folder of a job has its name: no other job's file has to be readable.
    jobs = [stored_job(path) for path in home.job_files() if path.parent.name == name.rpartition("/")[2]]
    found = [job for job in jobs if name in (job.metadata.name, f"{job.metadata.namespace}/{job.metadata.name}")]
    if not found:
        raise NoResults(f"{home.root} has no job {name}; name a job that `alignment run` has run, or another --home")
    if len(found) > 1:
        names = ", ".join(f"{job.metadata.namespace}/{job.metadata.name}" for job in found)
        raise NoResults(f"several namespaces have a job {name}; name one of {names}")
    return found[0]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
