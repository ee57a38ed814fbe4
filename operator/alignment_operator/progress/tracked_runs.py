"""Searches MLflow for the runs of jobs and their files, page by page, and skips runs that the trainer cannot have written."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import aiohttp
from alignment_api import metrics
from alignment_api.credentials import read_login, without_credentials
from alignment_api.runs import Beginning, newest_first
from pydantic import BaseModel, Field, ValidationError

from alignment_operator.deciding.untrusted import printable

AWAY = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""What is raised while MLflow cannot be read."""

_TIMEOUT_SECONDS = 10
_LONGEST_CAUSE = 200
_TRIES = 3
_PAUSE_SECONDS = 0.2
_Id = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]

_MILLISECONDS = re.compile("[0-9]{1,15}", re.ASCII)
_INDEX = re.compile("[0-9]{1,6}", re.ASCII)

logger = logging.getLogger(__name__)


class Point(BaseModel):
    """The latest value of one metric."""

    key: str
    value: float
    timestamp: int = 0
    step: int = 0


class _Tag(BaseModel):
    key: str
    value: str = ""


class _Info(BaseModel):
    run_id: _Id
    experiment_id: _Id
    start_time: int | None = None
    status: str = ""


class _Data(BaseModel):
    tags: list[_Tag] = []
    metrics: list[Point] = []


class TrackedRun(BaseModel):
    """The part of a run that the operator reads; it does not trust the run's status."""

    info: _Info
    data: _Data = _Data()

    @property
    def job_uid(self) -> str:
        """Return the uid of the job that the run claims to belong to."""
        return self._tag(metrics.JOB_UID_TAG)

    @property
    def stage(self) -> str:
        """Return the stage's name, or '' for the run of a whole job."""
        return self._tag(metrics.STAGE_TAG)

    @property
    def namespace(self) -> str:
        """Return the namespace of the job."""
        return self._tag(metrics.NAMESPACE_TAG)

    @property
    def kind(self) -> str:
        """Return the kind of the stage, as Python spells it."""
        return self._tag(metrics.KIND_TAG)

    @property
    def input_hash(self) -> str:
        """Return the hash of the inputs that the stage's run is of."""
        return self._tag(metrics.INPUT_HASH_TAG)

    @property
    def stage_index(self) -> int | None:
        """Return where the stage stands in the spec; None if the trainer that began the run did not say it."""
        index = self._tag(metrics.STAGE_INDEX_TAG)
        return int(index) if _INDEX.fullmatch(index) else None

    @property
    def progress_milliseconds(self) -> int:
        """Return when the stage last advanced: at its newest measurement, or when it trained a step again later."""
        again = self._tag(metrics.PROGRESS_TIME_TAG)
        times = [point.timestamp for point in self.data.metrics]
        return max([*times, int(again) if _MILLISECONDS.fullmatch(again) else 0])

    def _tag(self, key: str) -> str:
        return next((tag.value for tag in self.data.tags if tag.key == key), "")


def newest(runs: list[TrackedRun], now_milliseconds: int) -> TrackedRun | None:
    """Return the newest of a stage's runs."""
    return next(iter(latest_first(runs, now_milliseconds)), None)


def latest_first(runs: list[TrackedRun], now_milliseconds: int) -> list[TrackedRun]:
    """Return a stage's runs, the newest first."""
    return newest_first(runs, lambda run: Beginning(run.info.start_time, run.info.run_id), now_milliseconds)


class Search:
    """One search in MLflow."""

    def __init__(self, session: aiohttp.ClientSession, uri: str, runs_at_once: int, experiments_at_once: int) -> None:
        self._session = session
        self._uri, self._api = uri, f"{uri}/api/2.0/mlflow"
        self._runs_at_once = runs_at_once
        self._experiments_at_once = experiments_at_once
        self._experiments: list[list[str]] = []

    async def running(self) -> list[TrackedRun]:
        """Return the runs of all jobs with the status RUNNING."""
        return await self._runs(f"attributes.status = 'RUNNING' and tags.`{metrics.JOB_UID_TAG}` LIKE '%'")

    async def of_job(self, job_uid: str) -> list[TrackedRun]:
        """Return all runs of one job, whatever their status."""
        assert "'" not in job_uid, "the API server makes uids of letters, digits and '-'"
        return await self._runs(f"tags.`{metrics.JOB_UID_TAG}` = '{job_uid}'")

    async def of_name(self, job: str) -> list[TrackedRun]:
        """Return all runs of the jobs of a name, in every namespace."""
        return [] if "'" in job else await self._runs(f"tags.`{metrics.JOB_TAG}` = '{job}'")

    async def read_file(self, run_id: str, path: str) -> bytes | None:
        """Return a file of a run; None if there is none."""
        folder = path.rpartition("/")[0]
        async with self._session.get(f"{self._api}/artifacts/list", params={"run_id": run_id, "path": folder}) as answer:
            answer.raise_for_status()
            if path not in {file["path"] for file in (await answer.json()).get("files", [])}:
                return None
        # A large file may take long, as long as it keeps coming.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT_SECONDS, sock_read=_TIMEOUT_SECONDS)
        async with self._session.get(
            f"{self._uri}/get-artifact", params={"run_id": run_id, "path": path}, timeout=timeout
        ) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def look_up_experiments(self) -> None:
        """Read which experiments exist, in groups small enough for one request."""
        self._experiments = [
            [known["experiment_id"] for known in page["experiments"]]
            async for page in self._pages("experiments/search", {"max_results": self._experiments_at_once})
            if page.get("experiments")
        ]

    async def _runs(self, wanted: str) -> list[TrackedRun]:
        found: list[TrackedRun] = []
        for experiments in self._experiments:
            request = {"experiment_ids": experiments, "filter": wanted, "max_results": self._runs_at_once}
            async for page in self._pages("runs/search", request):
                found += [run for run in map(_read, page.get("runs", [])) if run]
        return found

    async def _pages(self, path: str, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        token: str | None = ""
        while token is not None:
            page = {"page_token": token} if token else {}
            answer = await self._ask(path, {**request, **page})
            yield answer
            token = answer.get("next_page_token") or None

    async def _ask(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and retry it after a server error: MLflow 3.17 sometimes answers 500 to concurrent searches."""
        for tries in range(1, _TRIES + 1):
            async with self._session.post(f"{self._api}/{path}", json=request) as answer:
                if answer.status < 500 or tries == _TRIES:
                    answer.raise_for_status()
                    body: dict[str, Any] = await answer.json()
                    return body
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last try returns or raises")


def cause_of(error: Exception) -> str:
    """Return why MLflow cannot be read, for a sentence."""
    return printable(without_credentials(f"{type(error).__name__}: {error}".rstrip(": ")))[:_LONGEST_CAUSE]


@asynccontextmanager
async def searching(
    uri: str, credentials: Path | None, runs_at_once: int = 1000, experiments_at_once: int = 1000
) -> AsyncIterator[Search]:
    """Connect to MLflow, and look up its experiments."""
    async with reading_files(uri, credentials, runs_at_once, experiments_at_once) as search:
        await search.look_up_experiments()
        yield search


@asynccontextmanager
async def reading_files(
    uri: str, credentials: Path | None, runs_at_once: int = 1000, experiments_at_once: int = 1000
) -> AsyncIterator[Search]:
    """Connect to MLflow to read files of known runs; the login is read each time, since a mounted Secret may change."""
    auth = aiohttp.BasicAuth(*read_login(credentials), encoding="utf-8") if credentials else None
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, auth=auth) as session:
        yield Search(session, uri, runs_at_once, experiments_at_once)


def _read(document: Any) -> TrackedRun | None:
    try:
        return TrackedRun.model_validate(document)
    except ValidationError as error:
        # Any pod can write to MLflow: a malformed run must not hide the others.
        logger.debug("skipping a run in MLflow: %s", error.errors(include_input=False, include_url=False))
        return None
