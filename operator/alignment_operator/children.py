"""The children as the API server last told of them: listed at the start, kept by watch events."""

from alignment_api.names import ATTEMPT_LABEL, JOB_UID_LABEL, STAGE_LABEL

from alignment_operator.observation import Child
from alignment_operator.pods import child_of, leftover_of
from alignment_operator.versions import Object, Versions, identify

_POD_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses")


class Children:
    """PyTorchJobs and pods by the uid of the AlignmentJob they belong to."""

    def __init__(self) -> None:
        self._versions = Versions()
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}

    def replace(self, kind: str, listed: list[Object], version: int) -> set[str]:
        """Take a complete list of this version; the answer names the jobs of whose children it tells news."""
        news = {_job_uid(found) for found in listed if self.observe("ADDED", found)}
        known = {identify(found): found for mine in self._objects.values() for found in mine.values() if not found.get("gone")}
        for missing in self._versions.forget_missing(kind, listed, version):
            if missing in known:
                self._remove(_job_uid(known[missing]), known[missing])
                news.add(_job_uid(known[missing]))
        return news

    def observe(self, event: str | None, found: Object) -> bool:
        """Take one object as a watch or an answer gives it; the answer says whether it was news."""
        uid = _job_uid(found)
        if not uid or not self._versions.take(found):
            return False
        if event == "DELETED":
            self._remove(uid, _trimmed(found))
        else:
            self._objects.setdefault(uid, {})[_key(found)] = _trimmed(found)
        return True

    def _remove(self, uid: str, last: Object) -> None:
        mine = self._objects.setdefault(uid, {})
        if _spoke_last(gone := {**last, "gone": True}, mine):
            mine[_key(last)] = gone
        else:
            mine.pop(_key(last), None)
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


def _job_uid(found: Object) -> str:
    """Name the job; nobody's child is what somebody else gave some of our labels."""
    labels = found["metadata"].get("labels", {})
    is_ours = STAGE_LABEL in labels and str(labels.get(ATTEMPT_LABEL, "")).isdigit()
    return str(labels.get(JOB_UID_LABEL, "")) if is_ours else ""


def _key(found: Object) -> tuple[str, str]:
    return found["kind"], found["metadata"]["name"]


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
