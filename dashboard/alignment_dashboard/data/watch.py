"""Keeps the jobs of a namespace as the API server tells of them: lists once, watches on, and lists anew when it must."""

import logging
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.cluster_api import ApiFailure, BrokenOff, ClusterApi, Object
from alignment_dashboard.data.listing import Failure, UnreadableJob, parse_job

FORBIDDEN, MISSING, GONE = 403, 404, 410
Key = tuple[str, str]

logger = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How long one watch lasts, and how long to wait after it, or after failures; each failure doubles the wait."""

    watch_seconds: int = 30
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 15


PACE = Pace()


class Known(NamedTuple):
    """What is known at one moment, and when the API server was last heard of."""

    jobs: tuple[AlignmentJob, ...]
    unreadable: tuple[str, ...]
    failure: Failure | None
    heard: datetime | None


class JobWatch:
    """One thread that reads; every other only asks what is known."""

    def __init__(self, namespace: str | None, pace: Pace = PACE) -> None:
        self._namespace, self._pace = namespace, pace
        self._lock = threading.Lock()
        self._jobs: dict[Key, AlignmentJob | UnreadableJob] = {}
        self._failure: Failure | None = None
        self._heard: datetime | None = None
        self._version = ""
        self._delay_seconds = pace.first_delay_seconds
        self._stopped = threading.Event()
        self.answered = threading.Event()
        """Set once something is known: jobs, or why there are none."""

    def start(self) -> None:
        """Begin to read, until the process ends or stop is called."""
        threading.Thread(target=self._run, name=f"jobs of {self._namespace or 'all namespaces'}", daemon=True).start()

    def stop(self) -> None:
        """End the thread when its present watch ends."""
        self._stopped.set()

    def known(self) -> Known:
        """Give what is known now."""
        with self._lock:
            found = [self._jobs[key] for key in sorted(self._jobs)]
            jobs = tuple(job for job in found if isinstance(job, AlignmentJob))
            unreadable = tuple(str(job) for job in found if isinstance(job, UnreadableJob))
            return Known(jobs, unreadable, self._failure, self._heard)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                # Credentials are read anew each time: whoever renews a certificate or a token writes a new file.
                with closing(ClusterApi(self._namespace)) as api:
                    self._list(api)
                    self._follow(api)
            except ApiFailure as error:
                self._fail(error)
            except Exception as error:  # an end of this thread would leave old jobs on the page without a word
                logger.exception("reading jobs failed")
                said = f"Reading jobs failed in a way that nobody foresaw ({error!r}); the dashboard's log says where."
                self._fail(ApiFailure(Failure("Defect", said)))
            self._stopped.wait(self._delay_seconds)
            self._delay_seconds = min(2 * self._delay_seconds, self._pace.longest_delay_seconds)

    def _list(self, api: ClusterApi) -> None:
        found = api.list()
        self._version = found["metadata"]["resourceVersion"]
        jobs = {_key(item): _read(item) for item in found["items"]}
        with self._lock:
            self._jobs, self._heard = jobs, datetime.now(UTC)
        self.answered.set()

    def _follow(self, api: ClusterApi) -> None:
        """Watch on, each time from where the last watch ended or broke off, until none can be opened."""
        while not self._stopped.is_set():
            events = api.watch(self._version, self._pace.watch_seconds)
            self._hear()
            try:
                for event in events:
                    self._take(event)
                    self._delay_seconds = self._pace.first_delay_seconds
                self._hear()
                self._delay_seconds = self._pace.first_delay_seconds
            except BrokenOff as error:
                logger.info("a watch broke off and is taken up again: %s", error)
            self._stopped.wait(self._pace.first_delay_seconds)

    def _take(self, event: Object) -> None:
        kind, item = event["type"], event["object"]
        self._version = item["metadata"]["resourceVersion"]
        change = _read(item) if kind in ("ADDED", "MODIFIED") else None
        with self._lock:
            self._heard = datetime.now(UTC)
            if change:
                self._jobs[_key(item)] = change
            elif kind == "DELETED":
                self._jobs.pop(_key(item), None)

    def _hear(self) -> None:
        with self._lock:
            self._failure, self._heard = None, datetime.now(UTC)

    def _fail(self, error: ApiFailure) -> None:
        if error.status == GONE:
            logger.info("the API server forgot version %s; all jobs are listed anew", self._version)
            return
        with self._lock:
            if self._failure != error.failure:  # once, not at every try
                logger.warning("%s", error)
            self._failure = error.failure
            if error.verb == "list" and error.status in (FORBIDDEN, MISSING):
                self._jobs, self._heard = {}, None
        self.answered.set()


def _key(item: Object) -> Key:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _read(item: Object) -> AlignmentJob | UnreadableJob:
    try:
        return parse_job(item)
    except UnreadableJob as error:
        return UnreadableJob(f"{'/'.join(_key(item))} {error}")
