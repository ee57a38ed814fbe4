"""The children as the API server last told of them: listed at the start, kept by watch events."""

from collections.abc import Iterable
from typing import Any

from alignment_api.names import ATTEMPT_LABEL, JOB_UID_LABEL, STAGE_LABEL

from alignment_operator.observation import Child
from alignment_operator.pods import child_of, leftover_of

Object = dict[str, Any]

_POD_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses")


class Children:
    """PyTorchJobs and pods by the uid of the AlignmentJob they belong to."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}

    def replace(self, objects: Iterable[Object]) -> set[str]:
        """Take a complete list; the answer names the jobs whose children have changed since."""
        before, known = self._versions(), self._objects
        self._objects = {}
        for found in objects:
            self.observe("ADDED", found)
        for uid, mine in self._objects.items():
            mine.update({key: pod for key, pod in known.get(uid, {}).items() if key not in mine and _spoke_last(pod, mine)})
        after = self._versions()
        return {uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid)}

    def observe(self, event: str | None, found: Object) -> None:
        """Take one object as a watch or an answer gives it; an older version than the known one is ignored."""
        uid = found["metadata"].get("labels", {}).get(JOB_UID_LABEL)
        if uid is None:
            return
        mine = self._objects.setdefault(uid, {})
        key = (found["kind"], found["metadata"]["name"])
        known = mine.get(key)
        if known is not None and _version(found) < _version(known):
            return
        if event != "DELETED":
            mine[key] = _trimmed(found)
        elif _spoke_last(gone := {**_trimmed(found), "gone": True}, mine):
            mine[key] = gone
        else:
            mine.pop(key, None)
            for other in [key for key, pod in mine.items() if pod.get("gone") and not _spoke_last(pod, mine)]:
                del mine[other]
            if not mine:
                del self._objects[uid]

    def of(self, job_uid: str) -> list[Child]:
        """Describe all children of a job."""
        mine = self._objects.get(job_uid, {}).values()
        pods: dict[tuple[str, str], list[Object]] = {}
        for pod in (found for found in mine if found["kind"] == "Pod"):
            pods.setdefault(_attempt(pod), []).append(pod)
        jobs = {_attempt(found): found for found in mine if found["kind"] == "PyTorchJob"}
        children = [child_of(job, sorted(_telling(job, pods.get(attempt, [])), key=_name)) for attempt, job in jobs.items()]
        left = [leftover_of(group) for attempt, group in pods.items() if attempt not in jobs]
        return sorted(children + left, key=lambda child: (child.stage, child.attempt))

    def unstarted_pods(self, job_uid: str, child: Child) -> list[str]:
        """Name the pods of a child whose trainer never started."""
        return [
            _name(found)
            for found in self._objects.get(job_uid, {}).values()
            if found["kind"] == "Pod"
            and _attempt(found) == (child.stage, str(child.attempt))
            and found["status"].get("phase") == "Pending"
        ]

    def _versions(self) -> dict[str, set[tuple[str, int]]]:
        return {
            uid: {(found["metadata"]["name"], _version(found)) for found in objects.values()}
            for uid, objects in self._objects.items()
        }


def _attempt(found: Object) -> tuple[str, str]:
    labels = found["metadata"]["labels"]
    return labels[STAGE_LABEL], labels[ATTEMPT_LABEL]


def _spoke_last(pod: Object, mine: dict[tuple[str, str], Object]) -> bool:
    """Say whether a pod that is gone is worth remembering: it ended, and its attempt is still there to be judged by it."""
    ended = pod["kind"] == "Pod" and pod.get("gone") and pod["status"].get("phase") in ("Succeeded", "Failed")
    return bool(ended) and any(known["kind"] == "PyTorchJob" and _attempt(known) == _attempt(pod) for known in mine.values())


def _telling(job: Object, pods: list[Object]) -> list[Object]:
    """Leave out the pods that are gone where only those count that are still to end."""
    return [pod for pod in pods if not (pod.get("gone") and job["metadata"].get("deletionTimestamp"))]


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _version(found: Object) -> int:
    return int(found["metadata"].get("resourceVersion") or 0)


def _trimmed(found: Object) -> Object:
    """Keep what is looked at: pods are large, and there may be thousands."""
    metadata = {
        key: value
        for key, value in found["metadata"].items()
        if key in ("name", "namespace", "uid", "labels", "annotations", "deletionTimestamp", "resourceVersion", "ownerReferences")
    }
    if found["kind"] == "Pod":
        metadata.pop("annotations", None)
        status = {key: value for key, value in found.get("status", {}).items() if key in _POD_STATUS}
        return {"kind": "Pod", "metadata": metadata, "status": status}
    spec = found["spec"]
    replicas = {name: {"replicas": replica.get("replicas", 1)} for name, replica in spec["pytorchReplicaSpecs"].items()}
    kept = {"runPolicy": spec.get("runPolicy", {}), "pytorchReplicaSpecs": replicas}
    return {"kind": "PyTorchJob", "metadata": metadata, "spec": kept, "status": found.get("status", {})}
