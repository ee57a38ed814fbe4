"""Reads what the stages of a job have reported, from the files of their runs in MLflow."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from alignment_api.credentials import without_credentials
from alignment_api.names import REPORT_FILE
from alignment_api.results.collected import ReportFile, Reports, collected, reports
from alignment_api.results.reading import EVALUATION_FOLDER, rows_file, run_folder
from alignment_api.results.standing import standing
from alignment_api.spec.status import StageState

from alignment_operator.progress.tracked_runs import (
    AWAY,
    Search,
    TrackedRun,
    cause_of,
    latest_first,
    newest,
    reading_files,
    searching,
)

_STATES: dict[str, StageState] = {"RUNNING": "Running", "FAILED": "Failed", "KILLED": "Suspended", "FINISHED": "Succeeded"}
"""What MLflow's words mean for a stage."""


class NoResults(Exception):
    """There is nothing to show; the message is a sentence."""


class StoreAway(Exception):
    """MLflow cannot be read now; the message is a sentence."""


class TrackedReports:
    """Reads one job of a server."""

    def __init__(self, uri: str, name: str, credentials: Path | None) -> None:
        self._uri, self._name, self._credentials = uri.rstrip("/"), name, credentials
        self._runs: dict[str, TrackedRun] = {}

    def reports(self) -> Reports:
        """Return all reports of the job. Raises NoResults and StoreAway."""
        try:
            return asyncio.run(self._reports())
        except AWAY as error:
            raise self._away(error) from error

    def rows(self, stage: str, task: str, model: str) -> bytes | None:
        """Return the rows of a model in a task; None if there are none. Raises StoreAway."""
        try:
            return asyncio.run(self._read(self._runs[stage], f"{EVALUATION_FOLDER}/{rows_file(task, model)}"))
        except AWAY as error:
            raise self._away(error) from error

    async def _reports(self) -> Reports:
        namespace, _, name = self._name.rpartition("/")
        async with searching(self._uri, self._credentials) as search:
            found = [run for run in await search.of_name(name) if namespace in ("", run.namespace)]
            stages = in_order(self._chosen(found))
            if not stages:
                raise NoResults(f"{self._name} has no run of a stage that evaluates or exports")
            files = [await self._file(search, stage, runs) for stage, runs in stages.items()]
            return collected(name, files)

    def _chosen(self, runs: list[TrackedRun]) -> list[TrackedRun]:
        """Return the runs of the newest job of the name."""
        namespaces = sorted({run.namespace for run in runs})
        if not runs:
            raise NoResults(f"MLflow at {without_credentials(self._uri)} has no run of a job {self._name}; check the name")
        if len(namespaces) > 1:
            names = ", ".join(f"{namespace}/{self._name}" for namespace in namespaces)
            raise NoResults(f"several namespaces have a job {self._name}; name one of {names}")
        latest = newest(runs, _now())
        return [run for run in runs if latest and run.job_uid == latest.job_uid]

    async def _file(self, search: Search, stage: str, runs: Sequence[TrackedRun]) -> ReportFile:
        """Read the newest report of a stage: while it runs with other settings, an earlier run has it."""
        latest, path = runs[0], f"{run_folder(runs[0].kind)}/{REPORT_FILE}"
        name = f"{path} of stage {stage}"
        for run in runs:
            content = await search.read_file(run.info.run_id, path)
            if content is not None:
                self._runs[stage] = run
                found = standing(run.input_hash, latest.input_hash, _STATES.get(latest.info.status))
                return ReportFile(stage, latest.kind, content, name, found)
        return ReportFile(stage, latest.kind, None, name)

    async def _read(self, run: TrackedRun, path: str) -> bytes | None:
        async with reading_files(self._uri, self._credentials) as search:
            return await search.read_file(run.info.run_id, path)

    def _away(self, error: Exception) -> StoreAway:
        return StoreAway(
            f"MLflow at {without_credentials(self._uri)} cannot be read now ({cause_of(error)}); check the address, or try later"
        )


def in_order(runs: list[TrackedRun]) -> dict[str, list[TrackedRun]]:
    """Return the runs of each stage that reports, the newest first; the stages have the order of the spec."""
    of_stage = defaultdict[str, list[TrackedRun]](list)
    for run in runs:
        if run.stage and reports(run.kind):
            of_stage[run.stage].append(run)
    found = {stage: latest_first(known, _now()) for stage, known in of_stage.items()}
    return dict(sorted(found.items(), key=lambda item: _place(item[1][0])))


def _place(run: TrackedRun) -> tuple[int, int]:
    """Return the stage's place in the spec, or else, after those that have one, when the run began."""
    return sys.maxsize if run.stage_index is None else run.stage_index, run.info.start_time or 0


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
