"""Writes what is decided of jobs: into their status, the log and Events; a status that the API server refuses blocks no job."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from alignment_api.names import API_VERSION, PLURAL
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from kubernetes.aio.client import ApiException

from alignment_operator.cluster.job_cache import JobCache
from alignment_operator.cluster.kubernetes_api import KubernetesApi, said
from alignment_operator.deciding.events import NewEvent, event_object, new_events
from alignment_operator.deciding.log_lines import log_lines
from alignment_operator.deciding.reduced_status import reduced
from alignment_operator.deciding.untrusted import one_line

# Not valid, not JSON, too large: the same again would be refused again.
_NEVER_TAKEN = (400, 413, 422)
_PRUNED = "the cluster's definition of AlignmentJobs knows less than this operator; apply the one of its version"

logger = logging.getLogger(__name__)


class Statuses:
    """The statuses of all jobs, with those that the API server did not take as they are."""

    def __init__(self, writing: Callable[[AlignmentJob], KubernetesApi], jobs: JobCache) -> None:
        """Requests that write go through `writing`, and their answers to `jobs`."""
        self._writing, self._jobs = writing, jobs
        self._refused: dict[str, AlignmentJobStatus] = {}

    def decided(self, job: AlignmentJob) -> AlignmentJob:
        """Give the job with the status that was decided, whether or not the API server has taken all of it."""
        refused = self._refused.get(job.metadata.uid or "")
        return job.model_copy(update={"status": refused}) if refused else job

    async def write(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status, unless the job has changed since it was read; one that is refused blocks nothing."""
        try:
            refusal = None if await self._put_status(job, status) else _PRUNED
        except ApiException as error:
            # A job that was deleted meanwhile has no status to write.
            if error.status == 404:
                return
            if error.status not in _NEVER_TAKEN:
                raise
            logger.warning("%s: the API server refused the status, and is given less: %s", name_of(job), error)
            refusal = said(error)
            await self._put_reduced_status(job, reduced(status, refusal))
        await self._remember(job, status, refusal)
        for line in log_lines(name_of(job), job.status, status):
            logger.info("%s", line)
        for event in new_events(job.status, status):
            await self._tell(job, event)

    async def _put_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> bool:
        """Write a status; the answer says whether the API server has kept all of it."""
        path, body = _path(job), status.dump()
        try:
            written = await self._writing(job).put(f"{path}/status", {**job.dump(), "status": body})
        except ApiException as error:
            if error.status == 409:
                self._jobs.observe("MODIFIED", await self._writing(job).get(path))
            raise
        self._jobs.observe("MODIFIED", written)
        return bool(written.get("status") == body)

    async def _put_reduced_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        try:
            await self._put_status(job, status)
        except ApiException as error:
            if error.status not in (404, *_NEVER_TAKEN):
                raise
            logger.warning("%s: the API server refused the reduced status too: %s", name_of(job), error)

    async def _remember(self, job: AlignmentJob, status: AlignmentJobStatus, refusal: str | None) -> None:
        """Keep what was decided where the API server has not: it counts until the operator starts anew."""
        uid = job.metadata.uid or ""
        known = self._refused.pop(uid, None)
        if refusal is None:
            return
        self._refused[uid] = status
        if known is None:
            logger.warning("%s: not all of the status is kept: %s", name_of(job), one_line(refusal))
            await self._tell(job, NewEvent("Warning", "StatusRefused", f"the API server refused the full status: {refusal}"))

    async def _tell(self, job: AlignmentJob, event: NewEvent) -> None:
        """Post an Event whose name follows from what it says, so that saying it twice is saying it once."""
        try:
            await self._writing(job).post(
                f"/api/v1/namespaces/{job.metadata.namespace}/events", event_object(job, event, datetime.now(UTC))
            )
        except ApiException as error:
            # An Event is a courtesy: without it the status still says everything.
            if error.status != 409:
                logger.info("the event %s of %s was not taken: %s", event.reason, job.metadata.name, said(error))


def name_of(job: AlignmentJob) -> str:
    """Name a job in the log."""
    return f"{job.metadata.namespace}/{job.metadata.name}"


def _path(job: AlignmentJob) -> str:
    return f"/apis/{API_VERSION}/namespaces/{job.metadata.namespace}/{PLURAL}/{job.metadata.name}"
