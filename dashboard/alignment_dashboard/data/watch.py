"""Keeps the jobs of a namespace up to date: lists once, then watches, and lists again when a watch cannot be resumed."""

import logging
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.cluster_api import ApiFailure, ClusterApi, Object, WatchBroken
from alignment_dashboard.data.listing import Failure, UnreadableJob, parse_job

FORBIDDEN, MISSING, GONE = 403, 404, 410
Key = tuple[str, str]

logger = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How long one watch lasts, and how long to wait after it and after failures; each failure doubles the wait."""

    watch_seconds: int = 30
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 15


PACE = Pace()


class Known(NamedTuple):
    """What a watch knows at one moment, and when the API server last answered."""

    jobs: tuple[AlignmentJob, ...]
    unreadable: tuple[str, ...]
    failure: Failure | None
    last_answer: datetime | None


class JobWatch:
    """One thread that reads the jobs of a namespace; the pages ask it for a snapshot."""

    def __init__(self, namespace: str | None, pace: Pace = PACE) -> None:
        self._namespace, self._pace = namespace, pace
        self._lock = threading.Lock()
        self._jobs: dict[Key, AlignmentJob | UnreadableJob] = {}
        self._failure: Failure | None = None
        self._last_answer: datetime | None = None
        self._version = ""
        self._delay_seconds = pace.first_delay_seconds
        self._stopped = threading.Event()
        self.answered = threading.Event()
        """Set at the first answer or failure."""

    def start(self) -> None:
        """Start the thread; it reads until the process ends or stop is called."""
        threading.Thread(target=self._run, name=f"jobs of {self._namespace or 'all namespaces'}", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end after its current watch."""
        self._stopped.set()

    def known(self) -> Known:
        """Return a snapshot."""
        with self._lock:
            found = [self._jobs[key] for key in sorted(self._jobs)]
            jobs = tuple(job for job in found if isinstance(job, AlignmentJob))
            unreadable = tuple(str(job) for job in found if isinstance(job, UnreadableJob))
            return Known(jobs, unreadable, self._failure, self._last_answer)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                # Credentials are read again each time, since a renewed certificate or token is a new file.
                with closing(ClusterApi(self._namespace)) as api:
                    self._list(api)
                    self._follow(api)
            except ApiFailure as error:
                self._fail(error)
            except Exception as error:  # if this thread ended, the page would show stale jobs without a warning
                logger.exception("reading jobs failed")
                sentence = f"Reading jobs failed with an unexpected error ({error!r}); the dashboard's log has the traceback."
                self._fail(ApiFailure(Failure("Defect", sentence)))
            self._stopped.wait(self._delay_seconds)
            self._delay_seconds = min(2 * self._delay_seconds, self._pace.longest_delay_seconds)

    def _list(self, api: ClusterApi) -> None:
        found = api.list()
        self._version = found["metadata"]["resourceVersion"]
        jobs = {_key(item): _read(item) for item in found["items"]}
        with self._lock:
            self._jobs, self._last_answer = jobs, datetime.now(UTC)
        self.answered.set()

    def _follow(self, api: ClusterApi) -> None:
        """Watch again and again, each time from where the last watch ended or broke, until a watch cannot be opened."""
        while not self._stopped.is_set():
            events = api.watch(self._version, self._pace.watch_seconds)
            self._note_answer()
            try:
                for event in events:
                    self._take(event)
                    self._delay_seconds = self._pace.first_delay_seconds
                self._note_answer()
                self._delay_seconds = self._pace.first_delay_seconds
            except WatchBroken as error:
                logger.info("a watch broke and is resumed: %s", error)
            self._stopped.wait(self._pace.first_delay_seconds)

    def _take(self, event: Object) -> None:
        kind, item = event["type"], event["object"]
        self._version = item["metadata"]["resourceVersion"]
        change = _read(item) if kind in ("ADDED", "MODIFIED") else None
        with self._lock:
            self._last_answer = datetime.now(UTC)
            if change:
                self._jobs[_key(item)] = change
            elif kind == "DELETED":
                self._jobs.pop(_key(item), None)

    def _note_answer(self) -> None:
        with self._lock:
            self._failure, self._last_answer = None, datetime.now(UTC)

    def _fail(self, error: ApiFailure) -> None:
        if error.status == GONE:
            logger.info("the API server no longer has version %s; all jobs are listed again", self._version)
            return
        with self._lock:
            if self._failure != error.failure:  # once, not at every retry
                logger.warning("%s", error)
            self._failure = error.failure
            if error.verb == "list" and error.status in (FORBIDDEN, MISSING):
                self._jobs, self._last_answer = {}, None
        self.answered.set()


def _key(item: Object) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _read(item: Object) -> AlignmentJob | UnreadableJob:
    try:
        return parse_job(item)
    except UnreadableJob as error:
        return UnreadableJob(f"{'/'.join(_key(item))} {error}")
