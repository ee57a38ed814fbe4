"""Reads the progress of running stages from MLflow, and reports since when MLflow does not answer."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from alignment_api.credentials import without_credentials
from alignment_api.progress.course import Course
from alignment_api.spec.status import Progress, TrackingStatus

from alignment_operator.deciding.observation import FirstPod
from alignment_operator.deciding.untrusted import Sightings
from alignment_operator.progress.tracked_runs import AWAY, Point, Search, TrackedRun, cause_of, newest, searching

_LONGEST_URL = 1024


class _StageKey(NamedTuple):
    job_uid: str
    stage: str


class TrackedProgress:
    """The last progress of running stages in MLflow."""

    def __init__(self, uri: str, public_url: str | None, credentials: Path | None = None, page_size: int = 1000) -> None:
        self.address = without_credentials(uri.rstrip("/"))
        self._uri = uri.rstrip("/")
        self._public_url = (public_url or "").rstrip("/")
        self._credentials = credentials
        self._page_size = page_size
        self._silent_since: datetime | None = None
        self._reason = ""
        self._runs: dict[_StageKey, str] = {}
        self._progress: dict[_StageKey, Progress] = {}
        self._parents: dict[str, TrackingStatus] = {}
        self._settled: dict[_StageKey, frozenset[str]] = {}
        self._sightings = Sightings()

    @property
    def silence(self) -> str | None:
        """Return a sentence that says since when MLflow does not answer and why, or None if it answers."""
        if self._silent_since is None:
            return None
        return f"MLflow at {self.address} has not answered since {self._silent_since:%H:%M:%S} UTC ({self._reason})"

    def progress(self, job_uid: str) -> dict[str, Progress]:
        """Return the progress of a job's stages."""
        return {key.stage: progress for key, progress in self._progress.items() if key.job_uid == job_uid}

    def run_ids(self, job_uid: str) -> dict[str, str]:
        """Return the run ids of a job's stages."""
        return {key.stage: run_id for key, run_id in self._runs.items() if key.job_uid == job_uid}

    def parent(self, job_uid: str) -> TrackingStatus | None:
        """Return the run of the whole job."""
        return self._parents.get(job_uid)

    async def refresh(self, pods: list[FirstPod]) -> set[str]:
        """Ask MLflow once about all running stages, and return the uids of the jobs with news."""
        wanted = {_StageKey(pod.job_uid, pod.stage) for pod in pods}
        try:
            async with searching(self._uri, self._credentials, self._page_size, self._page_size) as search:
                found, parents = await self._look(search, wanted)
        except AWAY as error:
            newly = self._silent_since is None
            self._silent_since = self._silent_since or datetime.now(UTC)
            self._reason = cause_of(error)
            return {pod.job_uid for pod in pods} if newly else set()
        returned = {pod.job_uid for pod in pods} if self._silent_since else set()
        self._silent_since = None
        return returned | self._take(wanted, found, parents)

    async def _look(self, search: Search, wanted: set[_StageKey]) -> tuple[dict[_StageKey, TrackedRun], list[TrackedRun]]:
        """Find the newest run of each stage: one search for all running runs, then one per job that it does not settle."""
        running = await search.running()
        known = _by_stage(running)
        open_jobs = sorted({key.job_uid for key in wanted if not self._is_settled(key, known.get(key, []))})
        looks = [await search.of_job(uid) for uid in open_jobs]
        everything = _by_stage([run for runs in looks for run in runs])
        now = int(datetime.now(UTC).timestamp() * 1000)
        found = {}
        for key in wanted:
            chosen = newest(everything.get(key, []) or known.get(key, []), now)
            if chosen:
                found[key] = chosen
                self._settle(key, chosen, known.get(key, []))
        uids = {key.job_uid for key in wanted}
        parents = [run for runs in (running, *looks) for run in runs if not run.stage and run.job_uid in uids]
        return found, parents

    def _is_settled(self, key: _StageKey, running: list[TrackedRun]) -> bool:
        """Return whether the stage's running runs are those that contained its newest run in the last full search."""
        return bool(running) and self._settled.get(key) == _ids(running)

    def _settle(self, key: _StageKey, chosen: TrackedRun, running: list[TrackedRun]) -> None:
        if chosen.info.run_id in _ids(running):
            self._settled[key] = _ids(running)
        else:
            self._settled.pop(key, None)

    def _take(self, wanted: set[_StageKey], found: dict[_StageKey, TrackedRun], parents: list[TrackedRun]) -> set[str]:
        now = datetime.now(UTC)
        reported = {key: self._progress_of(key, run, now) for key, run in found.items()}
        progress = {key: known for key, known in reported.items() if known}
        runs = {key: run.info.run_id for key, run in found.items()}
        changed = {
            key.job_uid for key in found if (progress.get(key), runs[key]) != (self._progress.get(key), self._runs.get(key))
        }
        self._progress, self._runs = progress, runs
        self._settled = {key: ids for key, ids in self._settled.items() if key in wanted}
        self._sightings.keep_only({*found})
        self._take_parents({key.job_uid for key in wanted}, parents, int(now.timestamp() * 1000))
        return changed

    def _take_parents(self, uids: set[str], parents: list[TrackedRun], now_milliseconds: int) -> None:
        known: dict[str, list[TrackedRun]] = defaultdict(list)
        for run in parents:
            known[run.job_uid].append(run)
        kept = {uid: parent for uid, parent in self._parents.items() if uid in uids}
        chosen = {uid: newest(runs, now_milliseconds) for uid, runs in known.items()}
        self._parents = {**kept, **{uid: self._tracking(run) for uid, run in chosen.items() if run}}

    def _progress_of(self, key: _StageKey, run: TrackedRun, now: datetime) -> Progress | None:
        advanced = run.progress_milliseconds
        updated = datetime.fromtimestamp(min(max(advanced / 1000, 0), now.timestamp()), UTC)
        updated = self._sightings.time_of(key, (run.info.run_id, advanced), updated)
        return progress_of(run.data.metrics, updated)

    def _tracking(self, run: TrackedRun) -> TrackingStatus:
        experiment, run_id = run.info.experiment_id, run.info.run_id
        url = f"{self._public_url}/#/experiments/{experiment}/runs/{run_id}"
        shown = url if self._public_url and len(url) <= _LONGEST_URL else None
        return TrackingStatus(experiment_id=experiment, run_id=run_id, url=shown)


def progress_of(points: list[Point], updated_time: datetime) -> Progress | None:
    """Return the progress that the latest metrics of a run show."""
    course = Course()
    for point in points:
        course.add(point.timestamp, point.step, {point.key: point.value})
    return course.progress(updated_time)


def _by_stage(runs: list[TrackedRun]) -> dict[_StageKey, list[TrackedRun]]:
    found: dict[_StageKey, list[TrackedRun]] = defaultdict(list)
    for run in runs:
        if run.stage:
            found[_StageKey(run.job_uid, run.stage)].append(run)
    return found


def _ids(runs: list[TrackedRun]) -> frozenset[str]:
    return frozenset(run.info.run_id for run in runs)
