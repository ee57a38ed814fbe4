"""Reads what the stages of a job on this machine have reported, from their folders."""

import json
from pathlib import Path

from alignment_api.home import Home
from alignment_api.names import REPORT_FILE, RUN_CONFIG_FILE, stage_folder
from alignment_api.resolving.recipes import resolve
from alignment_api.results.collected import ReportFile, Reporting, Reports, collected, reporting
from alignment_api.results.reading import rows_file
from alignment_api.results.standing import standing
from alignment_api.spec.job import AlignmentJob

from alignment_operator.machine.stored_job import stored_job
from alignment_operator.progress.tracked_reports import NoResults


class StoredReports:
    """Reads one job of a home."""

    def __init__(self, home: Home, name: str) -> None:
        self._home, self._job = home, _find(home, name)

    def reports(self) -> Reports:
        """Return all reports of the job. Raises NoResults if it has no stage that reports."""
        stages = reporting(resolve(self._job.spec).spec.stages or [], self._job.status)
        if not stages:
            raise NoResults(f"{self._job.metadata.name} has no stage that evaluates or exports; add one to its spec")
        return collected(self._job.metadata.name, [self._file(*named) for named in stages.items()])

    def rows(self, stage: str, task: str, model: str) -> bytes | None:
        """Return the rows of a model in a task; None if there are none."""
        return _read(self._reported(stage) / rows_file(task, model))

    def _file(self, name: str, stage: Reporting) -> ReportFile:
        folder = self._reported(name)
        found = standing(_input_hash(folder), stage.input_hash, stage.state)
        return ReportFile(name, stage.kind, _read(folder / REPORT_FILE), str(folder / REPORT_FILE), found)

    def _reported(self, stage: str) -> Path:
        """Return the folder of a stage's report; one with earlier settings was moved aside, beside the stage's own."""
        own = self._folder(stage)
        aside = sorted(own.parent.glob(f"{own.name}.*/{REPORT_FILE}"), key=lambda file: file.stat().st_mtime)
        return aside[-1].parent if aside and not (own / REPORT_FILE).exists() else own

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


def _input_hash(folder: Path) -> str | None:
    """Return the hash of the inputs that a stage's folder was claimed for."""
    content = _read(folder / RUN_CONFIG_FILE)
    return json.loads(content).get("inputHash") if content else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
