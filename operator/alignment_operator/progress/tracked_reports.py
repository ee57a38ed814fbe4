"""Reads what the stages of a job have reported, from the files of their runs in MLflow."""

import asyncio
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from alignment_api.credentials import without_credentials
from alignment_api.names import REPORT_FILE
from alignment_api.results.collected import ReportFile, Reports, collected, reports
from alignment_api.results.reading import EVALUATION_FOLDER, rows_file, run_folder

from alignment_operator.progress.tracked_runs import AWAY, Search, TrackedRun, cause_of, newest, reading_files, searching


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
            self._runs = in_order(self._chosen(found))
            if not self._runs:
                raise NoResults(f"{self._name} has no run of a stage that evaluates or exports")
            return collected(name, [await _file(search, stage, run) for stage, run in self._runs.items()])

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

    async def _read(self, run: TrackedRun, path: str) -> bytes | None:
        async with reading_files(self._uri, self._credentials) as search:
            return await search.read_file(run.info.run_id, path)

    def _away(self, error: Exception) -> StoreAway:
        return StoreAway(
            f"MLflow at {without_credentials(self._uri)} cannot be read now ({cause_of(error)}); check the address, or try later"
        )


async def _file(search: Search, stage: str, run: TrackedRun) -> ReportFile:
    path = f"{run_folder(run.kind)}/{REPORT_FILE}"
    return ReportFile(stage, run.kind, await search.read_file(run.info.run_id, path), f"{path} of stage {stage}")


def in_order(runs: list[TrackedRun]) -> dict[str, TrackedRun]:
    """Return the newest run of each stage that reports, in the order of the spec: the first model is what others exceed."""
    of_stage = defaultdict[str, list[TrackedRun]](list)
    for run in runs:
        if run.stage and reports(run.kind):
            of_stage[run.stage].append(run)
    found = {stage: chosen for stage, known in of_stage.items() if (chosen := newest(known, _now()))}
    return dict(sorted(found.items(), key=lambda item: _place(item[1])))


def _place(run: TrackedRun) -> tuple[int, int]:
    """Return the stage's place in the spec, or else, after those that have one, when the run began."""
    return sys.maxsize if run.stage_index is None else run.stage_index, run.info.start_time or 0


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
