"""Forged pods, PyTorchJobs and MLflow runs, in this and in another namespace, do not affect a job."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
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
from cluster.conftest import StartJob
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job
from cluster.kubectl import Kubectl, Object, wait_for
from cluster.names import JOBS, OTHERS
from cluster.progress import expect_every_step_once, first_step, reached, train_until
from cluster.watch import Watch, changes
from cluster.workspace import Workspace
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

_ANNOTATIONS = (INPUT_HASH_ANNOTATION, FINGERPRINT_ANNOTATION, RENDERING_ANNOTATION)
_NOTHING = ["sh", "-c", "true"]
_LIES = Termination(exit_code=ExitCode.BAD_DATA, reason="BadData", message="a forged message")
_FAILURE = ["sh", "-c", f"echo '{_LIES.model_dump_json(exclude_none=True)}' >/dev/termination-log; exit {ExitCode.BAD_DATA}"]
_STALE_TOTAL = 999


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
                "namespace": JOBS,
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
    forged = [(stale, _STALE_TOTAL, hour_ago), (odd, 40, 10**17), (odd, 1e300, hour_ago), (odd, -1, hour_ago)]
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
    strangers: list[tuple[Kubectl, str, str]]
    stopped_at: int
    statuses: list[Object]
    live_run: str


@pytest.fixture(scope="module")
def victim(
    start: StartJob, workspace: Workspace, installation: Installation, environment: Environment, images: str
) -> Iterator[Victim]:
    with Watch(workspace.kubectl, PLURAL, "") as history, tracking.client(installation) as mlflow:
        job = start(short_job("victim", compute={**TINY["spec"]["compute"], "nodes": 1}))
        with forged_runs(job, mlflow):
            child = wait_for("the first attempt exists", job.children, job.describe)[0]
            strangers = surround(job, Forger(environment, f"{environment.registry}/alignment-trainer:{images}", child))
            train_until(3, job, workspace)
            job.change(suspend=True)
            job.wait("the job is suspended", lambda status: status["phase"] in ("Suspended", "Failed"))
            stopped_at = reached(job, workspace)
            job.change(suspend=False)
            job.wait("the job has ended", lambda status: status["phase"] in ("Succeeded", "Failed"))
        named = [found for found in history.objects() if found["metadata"]["name"] == job.name]
        statuses = [found["status"] for found in named if "status" in found]
        yield Victim(job, strangers, stopped_at, statuses, tracking.stage_runs(job, mlflow)[0].info.run_id)
    for kubectl, kind, name in strangers:
        kubectl.delete(kind, name)


def surround(job: Job, forger: Forger) -> list[tuple[Kubectl, str, str]]:
    """Create all forged objects and wait until they have ended; return those that must survive the attempt."""
    pods = [
        forger.pod(OTHERS, "elsewhere"),
        forger.pod(JOBS, "without-owner"),
        forger.pod(JOBS, "of-its-child", ownerReferences=owner(forger.child)),
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


def test_the_job_trains_to_its_end(victim: Victim, workspace: Workspace) -> None:
    assert victim.job.status["phase"] == "Succeeded", victim.job.describe()
    stage = victim.job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 0, 0)
    assert first_step(victim.job, attempt=2) == victim.stopped_at + 1
    expect_every_step_once(victim.job, workspace)
    assert "model.safetensors" in workspace.names(stage["output"].removeprefix("workspace://"))


def test_its_status_and_events_never_mention_them(victim: Victim) -> None:
    assert {status["phase"] for status in victim.statuses if "phase" in status} <= {
        "Pending",
        "Running",
        "Restarting",
        "Suspended",
        "Succeeded",
    }
    assert max(stage["attempts"] for status in victim.statuses for stage in status.get("stages", [])) == 2
    assert "a forged message" not in json.dumps(victim.statuses)
    assert [event for event in victim.job.events() if "a forged message" in event[1]] == []


def test_the_newest_run_is_the_stages_run(victim: Victim) -> None:
    stages = [stage for status in victim.statuses for stage in status.get("stages", [])]
    runs = changes(stage["runId"] for stage in stages if "runId" in stage)
    totals = changes(stage["progress"]["totalSteps"] for stage in stages if "progress" in stage)
    # Until the stage has its own run, the forged earlier run is its newest.
    assert runs[-1] == victim.live_run
    assert len(runs) <= 2
    assert totals in ([40], [_STALE_TOTAL, 40])
    assert "ProgressUnknown" not in [status.get("reason") for status in victim.statuses]


def test_forged_objects_are_left_alone(victim: Victim) -> None:
    assert [name for kubectl, kind, name in victim.strangers if kubectl.get(kind, name) is None] == []
