"""A job that is suspended and resumed among forged pods, PyTorchJobs and MLflow runs, in its own and in another namespace."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from alignment_api import metrics
from alignment_api.exit_codes import ExitCode, Termination
from alignment_api.names import (
    ATTEMPT_LABEL,
    FINGERPRINT_ANNOTATION,
    INPUT_HASH_ANNOTATION,
    JOB_LABEL,
    JOB_UID_LABEL,
    PLURAL,
    RENDERING_ANNOTATION,
    STAGE_LABEL,
)
from cluster import tracking
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job, start_job
from cluster.kubectl import Kubectl, Object, wait_for
from cluster.names import OTHERS
from cluster.progress import reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

_ANNOTATIONS = (INPUT_HASH_ANNOTATION, FINGERPRINT_ANNOTATION, RENDERING_ANNOTATION)
_NOTHING = ["sh", "-c", "true"]
_LIES = Termination(exit_code=ExitCode.BAD_DATA, reason="BadData", message="a forged message")
_FAILURE = ["sh", "-c", f"echo '{_LIES.model_dump_json(exclude_none=True)}' >/dev/termination-log; exit {ExitCode.BAD_DATA}"]
STALE_TOTAL = 999


@dataclass(frozen=True)
class Forger:
    """Makes pods and PyTorchJobs with the labels of the job's own."""

    environment: Environment
    image: str
    child: Object
    """The PyTorchJob of the job's first attempt."""

    def pod(self, namespace: str, name: str, **metadata: object) -> Object:
        """Return a pod that fails as if its data were bad, with the labels of the job's own pods."""
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": self._labels("1"), **metadata},
            "spec": self._spec(_FAILURE),
        }

    def training_job(self, name: str, attempt: str, **metadata: object) -> Object:
        """Return a PyTorchJob that succeeds, with the labels and annotations of the job's own."""
        known = self.child["metadata"]["annotations"]
        labels = self._labels(attempt)
        template = {"metadata": {"labels": labels}, "spec": self._spec(_NOTHING)}
        return {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "metadata": {
                "name": name,
                "namespace": self.child["metadata"]["namespace"],
                "labels": labels,
                "annotations": {key: known[key] for key in _ANNOTATIONS},
                **metadata,
            },
            "spec": {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "restartPolicy": "Never", "template": template}}},
        }

    def _labels(self, attempt: str) -> dict[str, str]:
        known = self.child["metadata"]["labels"]
        return {**{key: known[key] for key in (JOB_LABEL, JOB_UID_LABEL, STAGE_LABEL)}, ATTEMPT_LABEL: attempt}

    def _spec(self, command: list[str]) -> Object:
        return {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "nodeSelector": self.environment.steady,
            "securityContext": {"runAsUser": 10001, "runAsNonRoot": True},
            "containers": [{"name": "pytorch", "image": self.image, "command": command}],
        }


def owner(found: Object) -> list[Object]:
    """Return owner references that name an object as the controller."""
    metadata = found["metadata"]
    named = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return [{**named, "controller": True}]


@contextlib.contextmanager
def forged_runs(job: Job, mlflow: MlflowClient) -> Iterator[None]:
    """Create runs in MLflow: an earlier run of the stage that never ended, and runs with impossible values."""
    uid, hour_ago = job.read()["metadata"]["uid"], int(time.time() - 3600) * 1000
    stale = {metrics.JOB_UID_TAG: uid, metrics.STAGE_TAG: "sft", metrics.PARENT_TAG: "0", metrics.INPUT_HASH_TAG: "earlier"}
    odd = {metrics.JOB_UID_TAG: "unknown", metrics.STAGE_TAG: "sft"}
    forged = [(stale, STALE_TOTAL, hour_ago), (odd, 40, 10**17), (odd, 1e300, hour_ago), (odd, -1, hour_ago)]
    experiment = _experiment(mlflow, job.kubectl.namespace)
    made = []
    for tags, total, logged_at in forged:
        made.append(mlflow.create_run(experiment, start_time=hour_ago, tags=tags).info.run_id)
        mlflow.log_metric(made[-1], metrics.TOTAL_STEPS, total, timestamp=logged_at, step=1)
    try:
        yield
    finally:
        for run in made:
            mlflow.delete_run(run)


def _experiment(mlflow: MlflowClient, name: str) -> str:
    try:
        return str(mlflow.create_experiment(name))
    except MlflowException:
        known = mlflow.get_experiment_by_name(name)
        assert known is not None
        return str(known.experiment_id)


@dataclass(frozen=True)
class Victim:
    """A job that was trained, suspended and resumed among forged objects, and every status that it ever had."""

    job: Job
    workspace: Workspace
    strangers: list[tuple[Kubectl, str, str]]
    seconds_until_gone: float
    """The time from the request to suspend until no pod was left."""
    suspended: Object
    """The status while it was suspended."""
    children: list[Object]
    """Its own children at that time."""
    stopped_at: int
    checkpoints: list[int]
    statuses: list[Object]
    live_run: str


def surrounded(installation: Installation, workspace: Workspace, environment: Environment, image: str) -> Victim:
    """Train a job with two pods to its end, and suspend it on the way."""
    kubectl = workspace.kubectl
    with Watch(kubectl, PLURAL, "") as history, tracking.client(installation) as mlflow:
        job = start_job(kubectl, installation, short_job("victim", compute={**TINY["spec"]["compute"], "cpu": "300m"}))
        with forged_runs(job, mlflow):
            child = wait_for("the first attempt exists", job.children, job.describe)[0]
            strangers = surround(job, Forger(environment, image, child))
            train_until(7, job, workspace)
            begun = time.monotonic()
            job.change(suspend=True)
            wait_for("its own pods are gone", lambda: not _own(job.pods()), job.describe)
            seconds = time.monotonic() - begun
            suspended = job.wait("the job is suspended", lambda status: status["phase"] in ("Suspended", "Failed"))
            children, stopped_at = _own(job.children()), reached(job, workspace)
            checkpoints = workspace.checkpoints(job.folder("sft"))
            job.change(suspend=False)
            job.wait("the job has ended", lambda status: status["phase"] in ("Succeeded", "Failed"), 600)
        named = [found for found in history.objects() if found["metadata"]["name"] == job.name]
        statuses = [found["status"] for found in named if "status" in found]
        run = tracking.stage_runs(job, mlflow)[0].info.run_id
        return Victim(job, workspace, strangers, seconds, suspended, children, stopped_at, checkpoints, statuses, run)


def _own(found: list[Object]) -> list[Object]:
    """Leave out forged objects, which have the labels of the job's own."""
    return [known for known in found if known["metadata"]["name"].startswith("victim-")]


def surround(job: Job, forger: Forger) -> list[tuple[Kubectl, str, str]]:
    """Create all forged objects and wait until they have ended; return those that must survive the attempt."""
    pods = [
        forger.pod(OTHERS, "elsewhere"),
        forger.pod(job.kubectl.namespace, "without-owner"),
        forger.pod(job.kubectl.namespace, "of-its-child", ownerReferences=owner(forger.child)),
    ]
    training_jobs = [
        forger.training_job("without-owner", "2"),
        forger.training_job("of-the-job", "2", ownerReferences=owner(job.read())),
        forger.training_job("far-ahead", "9" * 20, ownerReferences=owner(job.read())),
    ]
    for stranger in [*pods, *training_jobs]:
        Kubectl(stranger["metadata"]["namespace"]).apply(stranger)
    made = [
        (Kubectl(known["metadata"]["namespace"]), known["kind"].lower(), known["metadata"]["name"])
        for known in [*pods, *training_jobs]
    ]
    wait_for("all forged objects have ended", lambda: all(has_ended(*known) for known in made), lambda: str(made))
    return [known for known in made if known[2] != "of-its-child"]


def has_ended(kubectl: Kubectl, kind: str, name: str) -> bool:
    """Return whether a forged object has failed, has succeeded, or is gone."""
    status = (kubectl.get(kind, name) or {"status": {"phase": "Failed"}}).get("status", {})
    conditions = {known["type"] for known in status.get("conditions", []) if known["status"] == "True"}
    return status.get("phase") == "Failed" or "Succeeded" in conditions
