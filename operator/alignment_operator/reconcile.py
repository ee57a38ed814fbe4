"""Reconciles one job: observe, plan, apply, report; a second run without changes writes nothing."""

from datetime import datetime
from typing import Any, NamedTuple, Protocol

from alignment_api.problems import InvalidJob
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus

from alignment_operator.backends import Backend
from alignment_operator.deciding.job_status import held_back
from alignment_operator.deciding.observation import LIVE, Child, Key, Report
from alignment_operator.deciding.own_children import own_children
from alignment_operator.deciding.plan import Plan, plan, refusal
from alignment_operator.settings import Settings

_REFUSED_AGAIN_SECONDS = 5


class Refused(Exception):
    """The cluster refuses a child at present; the reason is one CamelCase word, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Cluster(Protocol):
    """Where jobs and children live: Kubernetes, or a folder and processes of one machine."""

    async def job(self, key: Key) -> AlignmentJob | None:
        """Read the job as it is now."""

    async def children(self, job: AlignmentJob) -> list[Child]:
        """Observe all of the job's children."""

    async def progress(self, job: AlignmentJob, children: list[Child]) -> Report:
        """Report the progress of the job's stages."""

    async def create(self, job: AlignmentJob, manifests: list[dict[str, Any]]) -> None:
        """Create a child and the objects it needs; existing ones stay as they are. Raises Refused."""

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        """Stop a child, giving it time to save, and remove it."""

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status."""

    async def delete_job(self, job: AlignmentJob) -> None:
        """Remove the job; its workspace stays."""


async def reconcile(cluster: Cluster, backend: Backend[Any], settings: Settings, key: Key, now: datetime) -> float | None:
    """Bring one job closer to its spec; return after how many seconds to reconcile it again, or None to wait for an event."""
    job = await cluster.job(key)
    if job is None or job.metadata.deletion_timestamp is not None:
        return None
    observed = own_children(job, await cluster.children(job))
    report = await cluster.progress(job, observed)
    try:
        settled = settle(job)
        decision = plan(job, settled, observed, report, settings, now)
        if decision.job_has_expired:
            await cluster.delete_job(job)
            return None
        made = await _create(cluster, backend, settings, job, decision, observed)
    except InvalidJob as error:
        return await _refuse(cluster, job, str(error), observed, now)
    status = held_back(job, settled.spec, decision.status, made.refusals, now) if made.refusals else decision.status
    # The status holds the running time of a child, so it is written before the child is deleted; and an attempt is recorded
    # only after it was created.
    has_written = await _report(cluster, job, status)
    has_deleted = await _delete(cluster, job, decision, observed)
    if made.refusals:
        return min(_REFUSED_AGAIN_SECONDS, decision.requeue_after_seconds or _REFUSED_AGAIN_SECONDS)
    # A change may make the next step possible at once; if not, the second run finds nothing to do.
    return 0 if has_written or has_deleted or made.created else decision.requeue_after_seconds


async def _refuse(cluster: Cluster, job: AlignmentJob, sentence: str, observed: list[Child], now: datetime) -> float | None:
    """Report why a job cannot run as written; its running attempt continues, unless the job is suspended."""
    decision = refusal(job, sentence, observed, now)
    if decision.job_has_expired:
        await cluster.delete_job(job)
        return None
    await _report(cluster, job, decision.status)
    for child in observed if job.spec.suspend else []:
        if child.state in LIVE:
            await cluster.delete(job, child)
    return decision.requeue_after_seconds


class _Made(NamedTuple):
    """How many children were created, and by stage, reason and message of those that were refused."""

    created: int
    refusals: dict[str, tuple[str, str]]


async def _create(
    cluster: Cluster, backend: Backend[Any], settings: Settings, job: AlignmentJob, decision: Plan, observed: list[Child]
) -> _Made:
    """Create the missing children; one that is refused holds back no other."""
    existing = {child.name for child in observed}
    refusals, created = dict[str, tuple[str, str]](), 0
    for run in decision.children:
        if run.name in existing:
            continue
        try:
            await cluster.create(job, backend.render(run, settings))
            created += 1
        except Refused as refusal_of_child:
            refusals[run.stage.name] = (refusal_of_child.reason, str(refusal_of_child))
    return _Made(created, refusals)


async def _delete(cluster: Cluster, job: AlignmentJob, decision: Plan, observed: list[Child]) -> bool:
    """Delete the children that should not exist; return whether there were any."""
    wanted = {run.name for run in decision.children}
    unwanted = [child for child in observed if child.name not in wanted and child.state != "Stopping"]
    for child in unwanted:
        await cluster.delete(job, child)
    return bool(unwanted)


async def _report(cluster: Cluster, job: AlignmentJob, status: AlignmentJobStatus) -> bool:
    if status == job.status:
        return False
    await cluster.write_status(job, status)
    return True
