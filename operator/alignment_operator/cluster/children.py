"""The children and pods of all jobs, in memory: listed at the start, kept up to date by watch events."""

from alignment_api.names import JOB_UID_LABEL, STAGE_LABEL, child_name

from alignment_operator.backends import ClusterBackend
from alignment_operator.backends.labels import attempt_of
from alignment_operator.cluster.owners import Owners
from alignment_operator.cluster.resource_versions import Object, ResourceVersions, identify
from alignment_operator.deciding.observation import Child, FirstPod

_POD_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses", "podIP")
_METADATA = ("name", "namespace", "uid", "labels", "annotations", "deletionTimestamp", "resourceVersion")

_Place = tuple[str, str]
"""Namespace and name."""


class Children:
    """Children by the job that controls them, and pods by the child that controls them; labels alone prove nothing."""

    def __init__(self, backend: ClusterBackend) -> None:
        self._backend, self._kind = backend, backend.RESOURCE.kind
        self._owners = Owners(backend)
        self._versions = ResourceVersions()
        self._owned: dict[str, dict[str, dict[_Place, Object]]] = {self._kind: {}, "Pod": {}}
        """By kind, then by the uid of the owner."""
        self._job_uids: dict[str, str] = {}
        """The job's uid by the child's uid, for as long as the child or a pod of it exists."""
        self._groups: dict[str, set[str]] = {}
        """By the job's uid, the uids of its children that have pods."""

    def replace(self, kind: str, listed: list[Object], version: int) -> set[str]:
        """Take a complete list of this version; return the uids of the jobs whose children have changed."""
        changed = {uid for found in listed for uid in self.observe("ADDED", found)}
        known = {
            identify(found): found
            for mine in self._owned.get(kind, {}).values()
            for found in mine.values()
            if not found.get("gone")
        }
        for missing in self._versions.forget_missing(kind, listed, version):
            if missing in known:
                changed |= self._remove(known[missing])
            elif kind == "Pod":
                self._owners.drop((missing.namespace, missing.name))
        return changed

    def observe(self, event: str | None, found: Object) -> set[str]:
        """Take one object from a watch or an answer; return the uid of its job if the object has changed."""
        controller = self._owners.controller_uid(found)
        if not controller or attempt_of(found) is None or STAGE_LABEL not in found["metadata"].get("labels", {}):
            return set()
        if not self._versions.take(found):
            return set()
        if self._owners.is_between(found["kind"]):
            return self._observe_between(event, found, controller)
        if found["kind"] == self._kind:
            return self._take(event, self._trimmed(found), controller)
        child_uid = self._owners.child_uid(controller)
        if child_uid:
            return self._take(event, self._trimmed(found), child_uid)
        self._owners.drop(_place(found))
        if event != "DELETED":
            self._owners.wait(_place(found), controller, self._trimmed(found))
        return set()

    def of(self, namespace: str, job_name: str, job_uid: str) -> list[Child]:
        """Describe all children of a job."""
        found = self._children(namespace, job_name, job_uid)
        children = [self._backend.observe(child, self._counted_pods(namespace, child)) for child in found]
        leftovers = self._leftovers(namespace, job_name, job_uid)
        return sorted(children + leftovers, key=lambda child: (child.stage, child.attempt))

    def jobs_with_pods(self) -> set[str]:
        """Return the uids of the jobs that have pods; of many jobs, most only wait."""
        return set(self._groups)

    def first_pods(self, namespace: str, job_name: str, job_uid: str) -> list[FirstPod]:
        """Return the running pods that answer for a job's stages: for each stage, the first pod of its newest attempt."""
        found = {}
        for child in sorted(self._children(namespace, job_name, job_uid), key=lambda child: attempt_of(child) or 0):
            for pod in self._pods(namespace, child["metadata"]["uid"]):
                stage, address = child["metadata"]["labels"][STAGE_LABEL], pod["status"].get("podIP")
                if _name(pod) == self._backend.first_pod(child) and _is_running(pod) and address:
                    found[stage] = FirstPod(job_uid, stage, attempt_of(child) or 0, address)
        return list(found.values())

    def unstarted_pods(self, namespace: str, child: Child) -> list[str]:
        """Return the names of a child's pods whose trainer never started."""
        return [_name(pod) for pod in self._pods(namespace, child.uid) if pod["status"].get("phase") == "Pending"]

    def pod_uids(self, namespace: str, child: Child) -> list[str]:
        """Return the uids of a child's pods, by which Events refer to them."""
        return [pod["metadata"].get("uid", "") for pod in self._pods(namespace, child.uid)]

    def _observe_between(self, event: str | None, found: Object, controller: str) -> set[str]:
        if event == "DELETED":
            self._owners.disconnect(found["metadata"]["uid"], self._job_uids)
            return set()
        pods = self._owners.connect(found, controller)
        return {job_uid for child_uid, pod in pods for job_uid in self._take("ADDED", pod, child_uid)}

    def _take(self, event: str | None, found: Object, owner: str) -> set[str]:
        """Keep or remove a child of a job, or a pod of a child; return the uid of the job."""
        kept = {**found, "owner": owner}
        if event == "DELETED":
            return self._remove(kept)
        self._owned[kept["kind"]].setdefault(owner, {})[_place(kept)] = kept
        if kept["kind"] == self._kind:
            self._job_uids[kept["metadata"]["uid"]] = owner
        else:
            self._groups.setdefault(self._job_of(owner), set()).add(owner)
        return self._jobs_of(kept)

    def _children(self, namespace: str, job_name: str, job_uid: str) -> list[Object]:
        mine = self._owned[self._kind].get(job_uid, {}).values()
        return [child for child in mine if _place(child)[0] == namespace and _name(child) == _given_name(job_name, child)]

    def _pods(self, namespace: str, child_uid: str) -> list[Object]:
        mine = self._owned["Pod"].get(child_uid, {}).values()
        return sorted((pod for pod in mine if _place(pod)[0] == namespace), key=_name)

    def _counted_pods(self, namespace: str, child: Object) -> list[Object]:
        """Return a child's replicas; while the child is being deleted, only those that still exist."""
        is_ending = child["metadata"].get("deletionTimestamp")
        pods = [pod for pod in self._pods(namespace, child["metadata"]["uid"]) if self._backend.is_replica(child, pod)]
        return [pod for pod in pods if not (is_ending and pod.get("gone"))]

    def _leftovers(self, namespace: str, job_name: str, job_uid: str) -> list[Child]:
        """Describe the children that no longer exist but still have pods."""
        existing = {child["metadata"]["uid"] for child in self._owned[self._kind].get(job_uid, {}).values()}
        uids = [uid for uid in sorted(self._groups.get(job_uid, set()) - existing) if self._job_of(uid) == job_uid]
        groups = [pods for pods in (self._pods(namespace, uid) for uid in uids) if pods]
        left = map(self._backend.observe_leftover, groups)
        return [child for child in left if child.name == child_name(job_name, child.stage, child.attempt)]

    def _job_of(self, child_uid: str) -> str:
        """Return the uid of the job that a child's pods belong to."""
        # If the child was deleted before this process began, only the pods' label is left; such pods are only waited for.
        pods = self._owned["Pod"].get(child_uid, {}).values()
        labelled = (pod["metadata"]["labels"].get(JOB_UID_LABEL, "") for pod in pods)
        return self._job_uids.get(child_uid) or str(next(labelled, ""))

    def _jobs_of(self, found: Object) -> set[str]:
        owner = found["owner"]
        return {owner if found["kind"] == self._kind else self._job_of(owner)} - {""}

    def _remove(self, last: Object) -> set[str]:
        jobs, owner, kind = self._jobs_of(last), last["owner"], last["kind"]
        mine = self._owned[kind].setdefault(owner, {})
        if kind == "Pod" and self._exists(owner) and self._explains_the_end(last):
            mine[_place(last)] = {**last, "gone": True}
        else:
            mine.pop(_place(last), None)
        if kind == self._kind:
            pods = self._owned["Pod"].get(last["metadata"]["uid"], {})
            for place in [place for place, pod in pods.items() if pod.get("gone")]:
                del pods[place]
            if not mine:
                del self._owned[kind][owner]
        for job_uid in jobs:
            self._forget_group(owner if kind == "Pod" else last["metadata"]["uid"], job_uid)
        return jobs

    def _explains_the_end(self, pod: Object) -> bool:
        """Check whether a deleted pod must be kept while its child exists: it holds an exit code, or was lost."""
        return pod["status"].get("phase") in ("Succeeded", "Failed") or self._backend.was_lost(pod)

    def _exists(self, child_uid: str) -> bool:
        known = self._owned[self._kind].get(self._job_uids.get(child_uid, ""), {}).values()
        return any(child["metadata"]["uid"] == child_uid for child in known)

    def _forget_group(self, child_uid: str, job_uid: str) -> None:
        """Forget a child without pods."""
        if self._owned["Pod"].get(child_uid):
            return
        self._owned["Pod"].pop(child_uid, None)
        group = self._groups.get(job_uid, set())
        group.discard(child_uid)
        if not group:
            self._groups.pop(job_uid, None)
        if not self._exists(child_uid):
            self._job_uids.pop(child_uid, None)
            self._owners.forget(child_uid)

    def _trimmed(self, found: Object) -> Object:
        """Keep only the parts that are read: pods are large, and there may be thousands."""
        metadata = {key: value for key, value in found["metadata"].items() if key in _METADATA}
        if found["kind"] == "Pod":
            metadata.pop("annotations", None)
            status = {key: value for key, value in found.get("status", {}).items() if key in _POD_STATUS}
            return {"kind": "Pod", "metadata": metadata, "status": status}
        kept = {"spec": self._backend.trimmed(found), "status": found.get("status", {})}
        return {"kind": found["kind"], "metadata": metadata, **kept}


def _given_name(job_name: str, child: Object) -> str:
    """Return the name that the operator gives to a child of this stage and attempt."""
    return child_name(job_name, child["metadata"]["labels"][STAGE_LABEL], attempt_of(child) or 0)


def _place(found: Object) -> _Place:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _is_running(pod: Object) -> bool:
    return pod["status"].get("phase") == "Running" and not pod.get("gone")
