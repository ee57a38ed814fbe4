"""Everything that is asked of the Kubernetes API: the Cluster that jobs are reconciled against."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from alignment_api.job import AlignmentJob, AlignmentJobStatus
from alignment_api.names import API_VERSION, JOB_LABEL, KIND, PLURAL
from alignment_api.validation import read_job
from kubernetes.aio.client import ApiClient, ApiException

from alignment_operator.children import Children
from alignment_operator.events import Happening, happenings
from alignment_operator.jobs import Jobs
from alignment_operator.kubernetes_api import FIELD_MANAGER, KubernetesApi, is_there_already, said
from alignment_operator.observation import Child, FirstPod, Report
from alignment_operator.progress import ProgressReader
from alignment_operator.reconcile import Key, Refused
from alignment_operator.settings import Settings
from alignment_operator.versions import Object, version_of

_JOBS = (f"/apis/{API_VERSION}", PLURAL)
_TRAINING_JOBS = ("/apis/kubeflow.org/v1", "pytorchjobs")
_PODS = ("/api/v1", "pods")
_EVENTS = ("/api/v1", "events")
_COLLECTIONS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "PyTorchJob": _TRAINING_JOBS,
}
_EVENT_MESSAGE_MAXIMUM = 1024

logger = logging.getLogger(__name__)


class NotHeld(Exception):
    """The namespace is not this operator's at present, so nothing is written there."""


class KubernetesCluster:
    """Implements the Cluster interface."""

    def __init__(
        self, client: ApiClient, settings: Settings, reader: ProgressReader, holds: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Whether a namespace may be written to, `holds` is asked before each write."""
        self._api = KubernetesApi(client)
        self._holds = holds
        self._namespaces = settings.watch_namespaces
        self._reader = reader
        self.jobs_seen = Jobs()
        self.children_seen = Children()
        self.missing_kinds: set[str] = set()
        """What the API server had no word for when it was last asked."""

    async def relist(self) -> set[Key]:
        """List jobs and children anew; the answer names the jobs of which the watches had not told."""
        jobs, training_jobs, pods = await asyncio.gather(
            self._list(_JOBS, KIND), self._list(_TRAINING_JOBS, "PyTorchJob", JOB_LABEL), self._list(_PODS, "Pod", JOB_LABEL)
        )
        news = self.jobs_seen.replace(*jobs)
        told = self.children_seen.replace("PyTorchJob", *training_jobs) | self.children_seen.replace("Pod", *pods)
        return news | self.jobs_seen.keys_of(told)

    async def job(self, key: Key) -> AlignmentJob | None:
        """Give the job as it was last told of: a request per look would cost the API server more than all the rest."""
        found = self.jobs_seen.get(key)
        return read_job(found) if found else None

    async def children(self, job: AlignmentJob) -> list[Child]:
        """Give the children as they were last told of."""
        return self.children_seen.of(_namespace(job), job.metadata.name, job.metadata.uid or "")

    async def progress(self, job: AlignmentJob, children: list[Child]) -> Report:
        """Say how far the stages are."""
        return self._reader.report(job.metadata.uid or "")

    def first_pods(self) -> list[FirstPod]:
        """List the running pods that can be asked how far their stages are."""
        jobs = self.jobs_seen.uids()
        return [pod for uid, key in jobs.items() for pod in self.children_seen.first_pods(*key, uid)]

    async def create(self, job: AlignmentJob, manifests: list[Object]) -> None:
        """Create a child and what belongs to it; what is there already stays as it is. Raises Refused."""
        for manifest in manifests:
            try:
                created = await self._writing(job).post(_path(_COLLECTIONS[manifest["kind"]], _namespace(job)), manifest)
            except ApiException as error:
                if not is_there_already(error):
                    raise _refusal(manifest, error) from error
                if manifest["kind"] != "PyTorchJob":
                    continue
                created = await self._mine(job, manifest["metadata"]["name"])
            if created["kind"] == "PyTorchJob":
                self.children_seen.observe("ADDED", created)

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        """Delete a child after its pods: they get their grace period to save."""
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": child.uid}}
        try:
            left = await self._writing(job).delete(_path(_TRAINING_JOBS, _namespace(job), child.name), body)
        except ApiException as error:
            # Gone already, or another one under the same name: either way it is not ours to delete any more.
            if error.status not in (404, 409):
                raise
        else:
            if left["kind"] == "PyTorchJob":
                self.children_seen.observe("MODIFIED", left)
        for pod in self.children_seen.unstarted_pods(_namespace(job), child):
            await self._end_unstarted(job, pod)

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status, unless the job has changed since it was read."""
        body = {**job.dump(), "status": status.dump()}
        path = _path(_JOBS, _namespace(job), job.metadata.name)
        try:
            written = await self._writing(job).put(f"{path}/status", body)
        except ApiException as error:
            # A job that was deleted meanwhile has no status to write.
            if error.status == 404:
                return
            if error.status == 409:
                self.jobs_seen.observe("MODIFIED", await self._api.get(path))
            raise
        self.jobs_seen.observe("MODIFIED", written)
        for happening in happenings(job.status, status):
            await self._tell(job, happening)

    async def delete_job(self, job: AlignmentJob) -> None:
        """Remove the job; its workspace stays."""
        try:
            await self._writing(job).delete(
                _path(_JOBS, _namespace(job), job.metadata.name), {"preconditions": {"uid": job.metadata.uid}}
            )
        except ApiException as error:
            if error.status != 404:
                raise

    def _writing(self, job: AlignmentJob) -> KubernetesApi:
        if not self._holds(_namespace(job)):
            raise NotHeld
        return self._api

    async def _end_unstarted(self, job: AlignmentJob, pod: str) -> None:
        """Spare a pod with nothing to save its grace period: init containers often ignore the request to stop."""
        try:
            await self._writing(job).delete(_path(_PODS, _namespace(job), pod), {"gracePeriodSeconds": 1})
        except ApiException as error:
            if error.status != 404:
                raise

    async def _mine(self, job: AlignmentJob, name: str) -> Object:
        """Take up a child that is there already, if it is this job's."""
        found = await self._api.get(_path(_TRAINING_JOBS, _namespace(job), name))
        if job.metadata.uid not in [owner["uid"] for owner in found["metadata"].get("ownerReferences", [])]:
            # What an earlier job of this name has left goes soon, even where nobody has said so to the object yet.
            metadata = found["metadata"]
            if metadata.get("deletionTimestamp") or metadata.get("labels", {}).get(JOB_LABEL) == job.metadata.name:
                raise Refused("EarlierJobEnding", f"PyTorchJob {name} of an earlier job is still ending; this one follows it")
            raise Refused("NameTaken", f"PyTorchJob {name} exists and belongs to somebody else; delete it, or rename this job")
        return found

    async def _tell(self, job: AlignmentJob, happening: Happening) -> None:
        """Post an Event whose name follows from what it says, so that saying it twice is saying it once."""
        try:
            await self._writing(job).post(_path(_EVENTS, _namespace(job)), _event(job, happening, datetime.now(UTC)))
        except ApiException as error:
            # An Event is a courtesy: without it the status still says everything.
            if error.status != 409:
                logger.info("the event %s of %s was not taken: %s", happening.reason, job.metadata.name, said(error))

    async def _list(self, collection: tuple[str, str], kind: str, label: str = "") -> tuple[list[Object], int]:
        """List a kind in all namespaces that are watched; the answer carries the version that all of it has at least."""
        paths = [_path(collection, namespace) for namespace in self._namespaces] or ["/".join(collection)]
        try:
            lists = [await self._api.get(path, labelSelector=label) for path in paths]
        except ApiException as error:
            # Without its CRD a kind has no objects; without the training-operator, creating a PyTorchJob will say so.
            if error.status == 404:
                self.missing_kinds.add(kind)
                return [], 0
            raise
        self.missing_kinds.discard(kind)
        return [{**found, "kind": kind} for listed in lists for found in listed["items"]], min(map(version_of, lists))


def _path(collection: tuple[str, str], namespace: str, *rest: str) -> str:
    root, plural = collection
    return "/".join([root, "namespaces", namespace, plural, *rest])


def _namespace(job: AlignmentJob) -> str:
    assert job.metadata.namespace is not None, "the API server gives every job a namespace"
    return job.metadata.namespace


def _event(job: AlignmentJob, happening: Happening, now: datetime) -> Object:
    message = happening.message[:_EVENT_MESSAGE_MAXIMUM]
    identity = hashlib.sha256(f"{job.metadata.uid}{happening.reason}{message}".encode()).hexdigest()[:16]
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": job.metadata.name,
        "namespace": job.metadata.namespace,
        "uid": job.metadata.uid,
    }
    return {
        "metadata": {"name": f"{job.metadata.name}.{identity}", "namespace": job.metadata.namespace},
        "involvedObject": about,
        "type": happening.type,
        "reason": happening.reason,
        "message": message,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _refusal(manifest: Object, error: ApiException) -> Refused | ApiException:
    """Say in words why the API server did not take an object, where a person can do something about it."""
    kind, message = manifest["kind"], said(error)
    if error.status == 404 and kind == "PyTorchJob":
        return Refused(
            "TrainingOperatorMissing", "the cluster knows no PyTorchJob: install Kubeflow's training-operator (1.9.4 or later)"
        )
    if error.status == 500 and "webhook" in message:
        return Refused("WebhookUnavailable", f"a webhook did not answer, so no {kind} can be created: {message}")
    if error.status == 403 and "exceeded quota" in message:
        return Refused("QuotaExceeded", message)
    if error.status == 403:
        return Refused("Forbidden", f"the operator may not create a {kind} here: {message}")
    if error.status in (400, 422):
        return Refused("Rejected", f"the API server rejects the {kind}: {message}")
    return error
