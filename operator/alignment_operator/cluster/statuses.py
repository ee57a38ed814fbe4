"""Writes decisions into statuses, the log and Events; a status that the API server refuses does not block its job."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from alignment_api.names import API_VERSION, PLURAL
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from kubernetes.aio.client import ApiException

from alignment_operator.cluster.job_cache import JobCache
from alignment_operator.cluster.kubernetes_api import KubernetesApi, api_message
from alignment_operator.deciding.events import NewEvent, event_object, new_events
from alignment_operator.deciding.log_lines import log_lines
from alignment_operator.deciding.reduced_status import reduced
from alignment_operator.deciding.untrusted import one_line

# Not JSON, too large, invalid: a retry would be refused too.
_NEVER_TAKEN = (400, 413, 422)
_PRUNED = (
    "the cluster's AlignmentJob definition is older than this operator and dropped fields; apply the definition of its version"
)

logger = logging.getLogger(__name__)


class Statuses:
    """Writes statuses, and keeps those that the API server did not store unchanged."""

    def __init__(self, writing: Callable[[AlignmentJob], KubernetesApi], jobs: JobCache) -> None:
        """Take the client for writes from `writing`, and store the answers in `jobs`."""
        self._writing, self._jobs = writing, jobs
        self._refused: dict[str, AlignmentJobStatus] = {}

    def decided(self, job: AlignmentJob) -> AlignmentJob:
        """Return the job with the status that was decided, even if the API server stored less."""
        refused = self._refused.get(job.metadata.uid or "")
        return job.model_copy(update={"status": refused}) if refused else job

    async def write(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status, unless the job has changed since it was read; write a reduced status if it is refused."""
        try:
            refusal = None if await self._put_status(job, status) else _PRUNED
        except ApiException as error:
            # The job was deleted meanwhile.
            if error.status == 404:
                return
            if error.status not in _NEVER_TAKEN:
                raise
            logger.warning("%s: the API server refused the status; writing a reduced one: %s", name_of(job), error)
            refusal = api_message(error)
            await self._put_reduced_status(job, reduced(status, refusal))
        await self._remember(job, status, refusal)
        for line in log_lines(name_of(job), job.status, status):
            logger.info("%s", line)
        for event in new_events(job.status, status):
            await self.post_event(job, event)

    async def _put_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> bool:
        """Write a status, and return whether the API server stored all of it."""
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
        """Keep a status that the API server did not store in full; it counts until the operator restarts."""
        uid = job.metadata.uid or ""
        known = self._refused.pop(uid, None)
        if refusal is None:
            return
        self._refused[uid] = status
        if known is None:
            logger.warning("%s: the status is not stored in full: %s", name_of(job), one_line(refusal))
            await self.post_event(job, NewEvent("Warning", "StatusRefused", f"the API server refused the full status: {refusal}"))

    async def post_event(self, job: AlignmentJob, event: NewEvent) -> None:
        """Create an Event whose name is derived from its content, so that the same Event is never created twice."""
        try:
            await self._writing(job).post(
                f"/api/v1/namespaces/{job.metadata.namespace}/events", event_object(job, event, datetime.now(UTC))
            )
        except ApiException as error:
            # An Event is optional: the status contains the same.
            if error.status != 409:
                logger.info("the Event %s of %s was refused: %s", event.reason, job.metadata.name, api_message(error))


def name_of(job: AlignmentJob) -> str:
    """Return a job's name for the log."""
    return f"{job.metadata.namespace}/{job.metadata.name}"


def _path(job: AlignmentJob) -> str:
    return f"/apis/{API_VERSION}/namespaces/{job.metadata.namespace}/{PLURAL}/{job.metadata.name}"
