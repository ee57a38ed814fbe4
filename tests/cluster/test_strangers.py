"""What only looks like a job's own changes nothing: pods and PyTorchJobs, elsewhere and beside it, and runs in MLflow."""

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
_LIES = Termination(exit_code=ExitCode.BAD_DATA, reason="BadData", message="a row that nobody wrote")
_FAILURE = ["sh", "-c", f"echo '{_LIES.model_dump_json(exclude_none=True)}' >/dev/termination-log; exit {ExitCode.BAD_DATA}"]
_STALE_TOTAL = 999


@dataclass(frozen=True)
class Forger:
    """Whoever may make pods and PyTorchJobs, and read those of the job."""

    environment: Environment
    image: str
    child: Object
    """The PyTorchJob of the job's first attempt."""

    def pod(self, namespace: str, name: str, **metadata: object) -> Object:
        """A pod that ends as if its data were bad, with the labels of the job's own."""
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": self._labels("1"), **metadata},
            "spec": self._spec(_FAILURE),
        }

    def training_job(self, name: str, attempt: str, **metadata: object) -> Object:
        """A PyTorchJob that succeeds, with the labels and the annotations of the job's own."""
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
    """Name an object as the controller of another one."""
    metadata = found["metadata"]
    named = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return [{**named, "controller": True}]


@contextlib.contextmanager
def forged_runs(job: Job, asked: MlflowClient) -> Iterator[None]:
    """Make runs in MLflow: an earlier one of the stage that never ended, and ones that nobody can read."""
    uid, hour_ago = job.read()["metadata"]["uid"], int(time.time() - 3600) * 1000
    stale = {metrics.JOB_UID_TAG: uid, metrics.STAGE_TAG: "sft", metrics.PARENT_TAG: "0", metrics.INPUT_HASH_TAG: "earlier"}
    odd = {metrics.JOB_UID_TAG: "nobody", metrics.STAGE_TAG: "sft"}
    forged = [(stale, _STALE_TOTAL, hour_ago), (odd, 40, 10**17), (odd, 1e300, hour_ago), (odd, -1, hour_ago)]
    experiment = _experiment(asked, job.kubectl.namespace)
    made = []
    for tags, total, logged_at in forged:
        made.append(asked.create_run(experiment, start_time=hour_ago, tags=tags).info.run_id)
        asked.log_metric(made[-1], metrics.TOTAL_STEPS, total, timestamp=logged_at, step=1)
    try:
        yield
    finally:
        for run in made:
            asked.delete_run(run)


def _experiment(asked: MlflowClient, name: str) -> str:
    try:
        return str(asked.create_experiment(name))
    except MlflowException:
        known = asked.get_experiment_by_name(name)
        assert known is not None
        return str(known.experiment_id)


@dataclass(frozen=True)
class Victim:
    """A job that was trained, suspended and resumed among strangers, and all that it ever said."""

    job: Job
    strangers: list[tuple[Kubectl, str, str]]
    stopped_at: int
    told: list[Object]
    live_run: str


@pytest.fixture(scope="module")
def victim(
    start: StartJob, workspace: Workspace, installation: Installation, environment: Environment, images: str
) -> Iterator[Victim]:
    with Watch(workspace.kubectl, PLURAL, "") as told, tracking.client(installation) as asked:
        job = start(short_job("victim", compute={**TINY["spec"]["compute"], "nodes": 1}))
        with forged_runs(job, asked):
            child = wait_for("its first attempt is there", job.children, job.describe)[0]
            strangers = surround(job, Forger(environment, f"{environment.registry}/alignment-trainer:{images}", child))
            train_until(3, job, workspace)
            job.change(suspend=True)
            job.wait("it is suspended", lambda status: status["phase"] in ("Suspended", "Failed"))
            stopped_at = reached(job, workspace)
            job.change(suspend=False)
            job.wait("it has ended", lambda status: status["phase"] in ("Succeeded", "Failed"))
        said = [found["status"] for found in told.objects() if found["metadata"]["name"] == job.name and "status" in found]
        yield Victim(job, strangers, stopped_at, said, tracking.stage_runs(job, asked)[0].info.run_id)
    for kubectl, kind, name in strangers:
        kubectl.delete(kind, name)


def surround(job: Job, forger: Forger) -> list[tuple[Kubectl, str, str]]:
    """Make all strangers, and wait until each has done its worst; gives those that are to outlive the attempt."""
    pods = [
        forger.pod(OTHERS, "elsewhere"),
        forger.pod(JOBS, "of-nobody"),
        forger.pod(JOBS, "of-its-child", ownerReferences=owner(forger.child)),
    ]
    training_jobs = [
        forger.training_job("of-nobody", "2"),
        forger.training_job("of-the-job", "2", ownerReferences=owner(job.read())),
        forger.training_job("far-ahead", "9" * 20, ownerReferences=owner(job.read())),
    ]
    for stranger in [*pods, *training_jobs]:
        Kubectl(stranger["metadata"]["namespace"]).apply(stranger)
    made = [
        (Kubectl(known["metadata"]["namespace"]), known["kind"].lower(), known["metadata"]["name"])
        for known in [*pods, *training_jobs]
    ]
    wait_for("all strangers have ended", lambda: all(has_ended(*known) for known in made), lambda: str(made))
    return [known for known in made if known[2] != "of-its-child"]


def has_ended(kubectl: Kubectl, kind: str, name: str) -> bool:
    """Say whether a stranger has failed, has succeeded, or is gone."""
    status = (kubectl.get(kind, name) or {"status": {"phase": "Failed"}}).get("status", {})
    conditions = {known["type"] for known in status.get("conditions", []) if known["status"] == "True"}
    return status.get("phase") == "Failed" or "Succeeded" in conditions


def test_the_job_trains_on_to_its_own_end(victim: Victim, workspace: Workspace) -> None:
    assert victim.job.status["phase"] == "Succeeded", victim.job.describe()
    stage = victim.job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 0, 0)
    assert first_step(victim.job, attempt=2) == victim.stopped_at + 1
    expect_every_step_once(victim.job, workspace)
    assert "model.safetensors" in workspace.names(stage["output"].removeprefix("workspace://"))


def test_it_never_says_anything_of_them(victim: Victim) -> None:
    assert {said["phase"] for said in victim.told if "phase" in said} <= {
        "Pending",
        "Running",
        "Restarting",
        "Suspended",
        "Succeeded",
    }
    assert max(stage["attempts"] for said in victim.told for stage in said.get("stages", [])) == 2
    assert "nobody wrote" not in json.dumps(victim.told)
    assert [told for told in victim.job.events() if "nobody wrote" in told[1]] == []


def test_the_newest_run_is_the_stages_run(victim: Victim) -> None:
    stages = [stage for said in victim.told for stage in said.get("stages", [])]
    runs = changes(stage["runId"] for stage in stages if "runId" in stage)
    totals = changes(stage["progress"]["totalSteps"] for stage in stages if "progress" in stage)
    # Until the stage has a run of its own, the earlier one is its newest.
    assert runs[-1] == victim.live_run
    assert len(runs) <= 2
    assert totals in ([40], [_STALE_TOTAL, 40])
    assert "ProgressUnknown" not in [said.get("reason") for said in victim.told]


def test_strangers_are_left_alone(victim: Victim) -> None:
    assert [name for kubectl, kind, name in victim.strangers if kubectl.get(kind, name) is None] == []
