"""The children as the API server last told of them: listed at the start, kept by watch events."""

import re

from alignment_api.names import GROUP, JOB_UID_LABEL, KIND, STAGE_LABEL, child_name

from alignment_operator.backends.pods import attempt_of, child_of, is_lost, leftover_of
from alignment_operator.cluster.versions import Object, Versions, identify
from alignment_operator.deciding.observation import Child, FirstPod

_POD_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses", "podIP")
_METADATA = ("name", "namespace", "uid", "labels", "annotations", "deletionTimestamp", "resourceVersion", "ownerReferences")
# The training-operator names pods after their replica; only one pod of a namespace can bear a name.
_FIRST_REPLICA = "master-0"
_REPLICA = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_OWNERS = {"PyTorchJob": KIND, "Pod": "PyTorchJob"}

_Place = tuple[str, str]
"""Namespace and name."""


class Children:
    """PyTorchJobs by the AlignmentJob that controls them, and pods by the PyTorchJob that controls them; labels prove nothing."""

    def __init__(self) -> None:
        self._versions = Versions()
        self._owned: dict[str, dict[str, dict[_Place, Object]]] = {"PyTorchJob": {}, "Pod": {}}
        """By kind, then by the uid of the owner."""
        self._job_uids: dict[str, str] = {}
        """The AlignmentJob of each PyTorchJob that was seen, for as long as it or a pod of it is there."""
        self._groups: dict[str, set[str]] = {}
        """By the uid of the AlignmentJob, the PyTorchJobs of which there are pods."""

    def replace(self, kind: str, listed: list[Object], version: int) -> set[str]:
        """Take a complete list of this version; the answer names the jobs of whose children it tells news."""
        news = {uid for found in listed for uid in self.observe("ADDED", found)}
        known = {
            identify(found): found for mine in self._owned[kind].values() for found in mine.values() if not found.get("gone")
        }
        for missing in self._versions.forget_missing(kind, listed, version):
            if missing in known:
                news |= self._remove(known[missing])
        return news

    def observe(self, event: str | None, found: Object) -> set[str]:
        """Take one object as a watch or an answer gives it; the answer names the job of which it is news."""
        owner = _controller_uid(found)
        if not owner or attempt_of(found) is None or STAGE_LABEL not in found["metadata"].get("labels", {}):
            return set()
        if not self._versions.take(found):
            return set()
        kept = _trimmed(found)
        if event == "DELETED":
            return self._remove(kept)
        self._owned[kept["kind"]].setdefault(owner, {})[_place(kept)] = kept
        if kept["kind"] == "PyTorchJob":
            self._job_uids[kept["metadata"]["uid"]] = owner
        else:
            self._groups.setdefault(self._job_of(owner), set()).add(owner)
        return self._concerned(kept)

    def of(self, namespace: str, job_name: str, job_uid: str) -> list[Child]:
        """Describe all children of a job."""
        jobs = self._training_jobs(namespace, job_name, job_uid)
        children = [child_of(job, _telling(job, self._pods(namespace, job["metadata"]["uid"]))) for job in jobs]
        there = {job["metadata"]["uid"] for job in self._owned["PyTorchJob"].get(job_uid, {}).values()}
        orphans = [uid for uid in sorted(self._groups.get(job_uid, set()) - there) if self._job_of(uid) == job_uid]
        groups = [pods for pods in (self._pods(namespace, uid) for uid in orphans) if pods]
        left = [leftover_of(pods) for pods in groups if _made_by_us(pods[0], job_name, _name(pods[0]).rsplit("-", 2)[0])]
        return sorted(children + left, key=lambda child: (child.stage, child.attempt))

    def jobs_with_pods(self) -> set[str]:
        """Name the jobs of which there are pods: of many, most only wait."""
        return set(self._groups)

    def first_pods(self, namespace: str, job_name: str, job_uid: str) -> list[FirstPod]:
        """List the running pods that speak for a job's stages: of each the first one of its newest attempt."""
        found = {}
        for job in sorted(self._training_jobs(namespace, job_name, job_uid), key=lambda job: attempt_of(job) or 0):
            for pod in self._pods(namespace, job["metadata"]["uid"]):
                stage, address = job["metadata"]["labels"][STAGE_LABEL], pod["status"].get("podIP")
                if _name(pod) == f"{_name(job)}-{_FIRST_REPLICA}" and _is_running(pod) and address:
                    found[stage] = FirstPod(job_uid, stage, attempt_of(job) or 0, address)
        return list(found.values())

    def unstarted_pods(self, namespace: str, child: Child) -> list[str]:
        """Name the pods of a child whose trainer never started."""
        return [_name(pod) for pod in self._pods(namespace, child.uid) if pod["status"].get("phase") == "Pending"]

    def pod_uids(self, namespace: str, child: Child) -> list[str]:
        """Name the pods of a child as Events do."""
        return [pod["metadata"].get("uid", "") for pod in self._pods(namespace, child.uid)]

    def _training_jobs(self, namespace: str, job_name: str, job_uid: str) -> list[Object]:
        mine = self._owned["PyTorchJob"].get(job_uid, {}).values()
        return [job for job in mine if _place(job)[0] == namespace and _made_by_us(job, job_name, _name(job))]

    def _pods(self, namespace: str, training_uid: str) -> list[Object]:
        mine = self._owned["Pod"].get(training_uid, {}).values()
        return sorted((pod for pod in mine if _place(pod)[0] == namespace), key=_name)

    def _job_of(self, training_uid: str) -> str:
        """Name the AlignmentJob that pods of a PyTorchJob belong to."""
        # Where the PyTorchJob was gone before this process began, the label is all that is left; such pods are only waited for.
        pods = self._owned["Pod"].get(training_uid, {}).values()
        labelled = (pod["metadata"]["labels"].get(JOB_UID_LABEL, "") for pod in pods)
        return self._job_uids.get(training_uid) or str(next(labelled, ""))

    def _concerned(self, found: Object) -> set[str]:
        owner = _controller_uid(found)
        return {owner if found["kind"] == "PyTorchJob" else self._job_of(owner)} - {""}

    def _remove(self, last: Object) -> set[str]:
        concerned, owner, kind = self._concerned(last), _controller_uid(last), last["kind"]
        mine = self._owned[kind].setdefault(owner, {})
        if kind == "Pod" and self._is_there(owner) and _spoke_last(last):
            mine[_place(last)] = {**last, "gone": True}
        else:
            mine.pop(_place(last), None)
        if kind == "PyTorchJob":
            pods = self._owned["Pod"].get(last["metadata"]["uid"], {})
            for place in [place for place, pod in pods.items() if pod.get("gone")]:
                del pods[place]
            if not mine:
                del self._owned[kind][owner]
        for job_uid in concerned:
            self._forget_group(owner if kind == "Pod" else last["metadata"]["uid"], job_uid)
        return concerned

    def _is_there(self, training_uid: str) -> bool:
        known = self._owned["PyTorchJob"].get(self._job_uids.get(training_uid, ""), {}).values()
        return any(job["metadata"]["uid"] == training_uid for job in known)

    def _forget_group(self, training_uid: str, job_uid: str) -> None:
        """Forget a PyTorchJob of which no pod is left."""
        if self._owned["Pod"].get(training_uid):
            return
        self._owned["Pod"].pop(training_uid, None)
        group = self._groups.get(job_uid, set())
        group.discard(training_uid)
        if not group:
            self._groups.pop(job_uid, None)
        if not self._is_there(training_uid):
            self._job_uids.pop(training_uid, None)


def _controller_uid(found: Object) -> str:
    """Give the uid of the object that controls this one, if it is of the kind that makes such objects."""
    for owner in found["metadata"].get("ownerReferences", []):
        if owner.get("controller") and owner.get("kind") == _OWNERS[found["kind"]]:
            is_ours = found["kind"] == "Pod" or owner.get("apiVersion", "").startswith(f"{GROUP}/")
            return str(owner.get("uid", "")) if is_ours else ""
    return ""


def _made_by_us(found: Object, job_name: str, name: str) -> bool:
    """Say whether an object bears the name that the operator gives to its stage and attempt."""
    return name == child_name(job_name, found["metadata"]["labels"][STAGE_LABEL], attempt_of(found) or 0)


def _place(found: Object) -> _Place:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _is_running(pod: Object) -> bool:
    return pod["status"].get("phase") == "Running" and not pod.get("gone")


def _spoke_last(pod: Object) -> bool:
    """Say whether a pod that is gone tells why its attempt failed: it had ended, or was lost with its node."""
    return pod["status"].get("phase") in ("Succeeded", "Failed") or is_lost(pod)


def _telling(job: Object, pods: list[Object]) -> list[Object]:
    """While the PyTorchJob is being deleted, ignore pods that are gone: only those count that are still to end."""
    replicas = [pod for pod in pods if _is_replica(pod, job)]
    return [pod for pod in replicas if not (pod.get("gone") and job["metadata"].get("deletionTimestamp"))]


def _is_replica(pod: Object, job: Object) -> bool:
    """Say whether a pod bears the name of one of the PyTorchJob's replicas: whoever makes pods can name any owner."""
    wanted = {name.lower(): replica["replicas"] for name, replica in job["spec"]["pytorchReplicaSpecs"].items()}
    role, _, index = _name(pod).removeprefix(f"{_name(job)}-").rpartition("-")
    is_number = bool(_REPLICA.fullmatch(index))
    return is_number and int(index) < wanted.get(role, 0) and _name(pod) == f"{_name(job)}-{role}-{index}"


def _trimmed(found: Object) -> Object:
    """Keep what is looked at: pods are large, and there may be thousands."""
    metadata = {key: value for key, value in found["metadata"].items() if key in _METADATA}
    if found["kind"] == "Pod":
        metadata.pop("annotations", None)
        status = {key: value for key, value in found.get("status", {}).items() if key in _POD_STATUS}
        return {"kind": "Pod", "metadata": metadata, "status": status}
    spec = found["spec"]
    replicas = {name: {"replicas": replica.get("replicas", 1)} for name, replica in spec["pytorchReplicaSpecs"].items()}
    kept = {"runPolicy": spec.get("runPolicy", {}), "pytorchReplicaSpecs": replicas}
    return {"kind": "PyTorchJob", "metadata": metadata, "spec": kept, "status": found.get("status", {})}
