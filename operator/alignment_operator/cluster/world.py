"""The Kubernetes cluster that jobs are reconciled against: reads from memory, writes through the API."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from alignment_api.names import API_VERSION, ATTEMPT_LABEL, JOB_LABEL, KIND, PLURAL, STAGE_LABEL
from alignment_api.resolving.validation import read_stored_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from kubernetes.aio.client import ApiClient, ApiException

from alignment_operator.backends import ClusterBackend, Resource
from alignment_operator.backends.run_config_map import config_name
from alignment_operator.backends.workspace_claim import narrow_claim, needs_several_nodes
from alignment_operator.cluster.children import Children
from alignment_operator.cluster.job_cache import JobCache
from alignment_operator.cluster.kubernetes_api import KubernetesApi, already_exists
from alignment_operator.cluster.refusals import refusal_of
from alignment_operator.cluster.resource_versions import Object, version_of
from alignment_operator.cluster.statuses import Statuses, name_of
from alignment_operator.cluster.stuck_pods import StuckPods
from alignment_operator.deciding.events import NewEvent
from alignment_operator.deciding.observation import Child, FirstPod, Key, Report
from alignment_operator.progress.combined_progress import ProgressReader
from alignment_operator.reconcile import Refused
from alignment_operator.settings import Settings

_Collection = tuple[str, str]
"""Root of the paths, and plural."""

_JOBS = (f"/apis/{API_VERSION}", PLURAL)
_PODS = ("/api/v1", "pods")
_CONFIG_MAPS = ("/api/v1", "configmaps")
_COLLECTIONS = {
    "ConfigMap": _CONFIG_MAPS,
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": _PODS,
}

logger = logging.getLogger(__name__)


class NotHeld(Exception):
    """Another operator holds the namespace at present, so nothing may be written there."""


class KubernetesCluster:
    """The Cluster interface over the Kubernetes API."""

    def __init__(
        self,
        client: ApiClient,
        settings: Settings,
        backend: ClusterBackend,
        reader: ProgressReader,
        holds: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Ask `holds` before each write whether this operator may write to the namespace."""
        resource = backend.RESOURCE
        self._backend, self._kind = backend, resource.kind
        self._collections = {**_COLLECTIONS, **{seen.kind: _collection(seen) for seen in (resource, *backend.BETWEEN)}}
        self._api = KubernetesApi(client)
        self._holds = holds
        self._namespaces = settings.watch_namespaces
        self._reader = reader
        self.jobs_seen = JobCache()
        self._statuses = Statuses(self._writing, self.jobs_seen)
        self.children_seen = Children(backend)
        self._stuck = StuckPods(self._api)
        self.missing_kinds: set[str] = set()
        """Kinds that the API server did not know when they were last listed."""

    async def relist(self) -> set[Key]:
        """List jobs and children again; return the jobs with changes that the watches had missed."""
        kinds = [self._kind, *(resource.kind for resource in self._backend.BETWEEN), "Pod"]
        jobs, *lists = await asyncio.gather(
            self._list(_JOBS, KIND), *(self._list(self._collections[kind], kind, JOB_LABEL) for kind in kinds)
        )
        changed = self.jobs_seen.replace(*jobs)
        owners = {uid for kind, listed in zip(kinds, lists, strict=True) for uid in self.children_seen.replace(kind, *listed)}
        return changed | self.jobs_seen.keys_of(owners)

    async def job(self, key: Key) -> AlignmentJob | None:
        """Return the job from memory: a request for each reconcile would cost the API server more than all other requests."""
        found = self.jobs_seen.get(key)
        return self._statuses.decided(read_stored_job(found)) if found else None

    async def children(self, job: AlignmentJob) -> list[Child]:
        """Return the children from memory; one that does not start has the reason from the cluster's Events."""
        key = Key(_namespace(job), job.metadata.name)
        children = self.children_seen.of(*key, job.metadata.uid or "")
        return self._stuck.explained(key, children, lambda child: self.children_seen.pod_uids(key.namespace, child))

    async def ask_about_stuck_pods(self) -> set[Key]:
        """Read why children do not start; return the jobs for which the reason has changed."""
        return await self._stuck.ask(self._is_mine, datetime.now(UTC))

    def _is_mine(self, key: Key) -> bool:
        return self._holds(key.namespace) and self.jobs_seen.get(key) is not None

    async def progress(self, job: AlignmentJob, children: list[Child]) -> Report:
        """Report the progress of the job's stages."""
        return self._reader.report(job.metadata.uid or "")

    def first_pods(self) -> list[FirstPod]:
        """Return the running pods that answer requests for progress."""
        keys = self.jobs_seen.uids()
        mine = [(keys[uid], uid) for uid in self.children_seen.jobs_with_pods() if uid in keys]
        return [pod for key, uid in mine if self._holds(key.namespace) for pod in self.children_seen.first_pods(*key, uid)]

    async def create(self, job: AlignmentJob, manifests: list[Object]) -> None:
        """Create a child and the objects it needs; existing ones stay as they are. Raises Refused."""
        for manifest in manifests:
            try:
                created = await self._writing(job).post(_path(self._collections[manifest["kind"]], _namespace(job)), manifest)
            except ApiException as error:
                if not already_exists(error):
                    raise refusal_of(manifest, error, self._backend) from error
                if manifest["kind"] == "PersistentVolumeClaim":
                    await self._warn_of_claim(job, manifest)
                if manifest["kind"] != self._kind:
                    continue
                created = await self._mine(job, manifest["metadata"]["name"])
            if created["kind"] == self._kind:
                self.children_seen.observe("ADDED", created)
                labels = manifest["metadata"]["labels"]
                attempt = f"{name_of(job)} {labels[STAGE_LABEL]} {labels[ATTEMPT_LABEL]}"
                logger.info("%s: %s %s is created", attempt, self._kind, manifest["metadata"]["name"])

    async def delete(self, job: AlignmentJob, child: Child) -> None:
        """Delete a child after its pods, which get their grace period to save a checkpoint."""
        # First, and on every try: if this is interrupted, the child still exists, and both are deleted next time.
        await self._delete_config(job, child)
        body = {"propagationPolicy": "Foreground", "preconditions": {"uid": child.uid}}
        try:
            left = await self._writing(job).delete(_path(self._children, _namespace(job), child.name), body)
        except ApiException as error:
            # It is gone, or another object has its name: either way there is nothing of this job left to delete.
            if error.status not in (404, 409):
                raise
        else:
            logger.info("%s %s %s: %s %s is deleted", name_of(job), child.stage, child.attempt, self._kind, child.name)
            if left["kind"] == self._kind:
                self.children_seen.observe("MODIFIED", left)
        for pod in self.children_seen.unstarted_pods(_namespace(job), child):
            await self._end_unstarted(job, pod)

    async def write_status(self, job: AlignmentJob, status: AlignmentJobStatus) -> None:
        """Replace the job's status, unless the job has changed since it was read; a refused status blocks nothing."""
        await self._statuses.write(job, status)

    async def delete_job(self, job: AlignmentJob) -> None:
        """Remove the job; its workspace stays."""
        logger.info("%s: deleted, because it finished ttlSecondsAfterFinished ago", name_of(job))
        try:
            await self._writing(job).delete(
                _path(_JOBS, _namespace(job), job.metadata.name), {"preconditions": {"uid": job.metadata.uid}}
            )
        except ApiException as error:
            if error.status != 404:
                raise

    @property
    def _children(self) -> _Collection:
        return self._collections[self._kind]

    def _writing(self, job: AlignmentJob) -> KubernetesApi:
        if not self._holds(_namespace(job)):
            raise NotHeld
        return self._api

    async def _delete_config(self, job: AlignmentJob, child: Child) -> None:
        name = config_name(child.name, job.metadata.uid, child.rendering)
        try:
            await self._writing(job).delete(_path(_CONFIG_MAPS, _namespace(job), name), {})
        except ApiException as error:
            # Without permission the ConfigMap stays until the job is deleted; the child must be stopped all the same.
            if error.status == 403:
                logger.warning("%s: ConfigMap %s cannot be deleted: %s", name_of(job), name, error)
            elif error.status != 404:
                raise

    async def _end_unstarted(self, job: AlignmentJob, pod: str) -> None:
        """Delete a pod that has nothing to save without its grace period: init containers often ignore SIGTERM."""
        try:
            await self._writing(job).delete(_path(_PODS, _namespace(job), pod), {"gracePeriodSeconds": 1})
        except ApiException as error:
            if error.status != 404:
                raise

    async def _warn_of_claim(self, job: AlignmentJob, wanted: Object) -> None:
        """Post an Event if a claim that exists already is too narrow for what the job needs now."""
        if not needs_several_nodes(wanted):
            return
        try:
            found = await self._api.get(_path(self._collections[wanted["kind"]], _namespace(job), wanted["metadata"]["name"]))
        except ApiException as error:
            # Without permission, or if it was deleted meanwhile, nothing is known of it; the pods wait or run all the same.
            logger.info("%s: claim %s cannot be read: %s", name_of(job), wanted["metadata"]["name"], error)
            return
        if sentence := narrow_claim(wanted, found):
            logger.warning("%s: %s", name_of(job), sentence)
            await self._statuses.post_event(job, NewEvent("Warning", "ClaimOfOneNode", sentence))

    async def _mine(self, job: AlignmentJob, name: str) -> Object:
        """Return a child that already exists, if it is this job's; raise Refused otherwise."""
        found = await self._api.get(_path(self._children, _namespace(job), name))
        if job.metadata.uid not in [owner["uid"] for owner in found["metadata"].get("ownerReferences", [])]:
            # The child of an earlier job with this name is deleted soon, even if it has no deletion time yet.
            metadata = found["metadata"]
            if metadata.get("deletionTimestamp") or metadata.get("labels", {}).get(JOB_LABEL) == job.metadata.name:
                raise Refused(
                    "EarlierJobEnding",
                    f"{self._kind} {name} of an earlier job is still being deleted; this job starts after that",
                )
            raise Refused(
                "NameTaken", f"{self._kind} {name} already exists and belongs to another owner; delete it, or rename this job"
            )
        return found

    async def _list(self, collection: _Collection, kind: str, label: str = "") -> tuple[list[Object], int]:
        """List a kind in all watched namespaces; return the objects and the lowest version of the lists."""
        paths = [_path(collection, namespace) for namespace in self._namespaces] or ["/".join(collection)]
        try:
            lists = [await self._api.get(path, labelSelector=label) for path in paths]
        except ApiException as error:
            # Without its CRD a kind has no objects. Creating a child fails later with a sentence about what to install.
            if error.status == 404:
                self.missing_kinds.add(kind)
                return [], 0
            raise
        self.missing_kinds.discard(kind)
        return [{**found, "kind": kind} for listed in lists for found in listed["items"]], min(map(version_of, lists))


def _collection(resource: Resource) -> _Collection:
    return f"/apis/{resource.group}/{resource.version}", resource.plural


def _path(collection: _Collection, namespace: str, *rest: str) -> str:
    root, plural = collection
    return "/".join([root, "namespaces", namespace, plural, *rest])


def _namespace(job: AlignmentJob) -> str:
    assert job.metadata.namespace is not None, "the API server gives every job a namespace"
    return job.metadata.namespace
