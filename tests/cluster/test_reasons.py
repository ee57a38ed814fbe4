"""A job's status reports a fault within seconds, with a sentence that a user can act on; after the correction it completes."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from cluster import nodes
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import TINY, Job, StartJob, short_job
from cluster.kubectl import Object, wait_for
from cluster.workspace import Workspace

_REPORTED_WITHIN_SECONDS = 10
_EVENTS_WITHIN_SECONDS = 30
"""For faults that Kubernetes reports only in an Event, not in a pod's status."""
_COMPUTE: Object = {**TINY["spec"]["compute"], "nodes": 1}


class Situation(NamedTuple):
    """A fault in a spec, how the cluster shows it, the status that the job must have, and the change that corrects it."""

    name: str
    fault: dict[str, Any]
    shows: Callable[[Job], object]
    phase: str
    reason: str
    sentence: str
    corrected: dict[str, Any]
    patience_seconds: int = _REPORTED_WITHIN_SECONDS


def a_pod(shows: Callable[[Object], object]) -> Callable[[Job], bool]:
    """Return a check whether a pod of the job shows the fault."""
    return lambda job: any(shows(pod) for pod in job.pods())


def a_warning(reason: str) -> Callable[[Job], bool]:
    """Return a check whether the job's PyTorchJob or pods have this warning Event."""
    return lambda job: any(
        event["type"] == "Warning" and event["reason"] == reason and event["involvedObject"]["name"].startswith(f"{job.name}-")
        for event in job.kubectl.list("events")
    )


def is_unscheduled(pod: Object) -> bool:
    return any(known["type"] == "PodScheduled" and known["status"] == "False" for known in pod["status"].get("conditions", []))


def is_waiting_for_image(pod: Object) -> bool:
    waiting = [known["state"].get("waiting", {}) for known in pod["status"].get("containerStatuses", [])]
    return any(known.get("reason") in ("ErrImagePull", "ImagePullBackOff") for known in waiting)


def has_ended(pod: Object) -> bool:
    return bool(pod["status"]["phase"] == "Failed")


def training_on(uri: str) -> list[Object]:
    """Return the stages of a job with two steps."""
    [stage] = short_job("any")["spec"]["stages"]
    optimization = {"learningRate": 1e-3, "maxSteps": 2, "globalBatchSize": 8}
    return [{**stage, "sft": {**stage["sft"], "datasets": [{"uri": uri}], "optimization": optimization}}]


SITUATIONS = [
    Situation(
        "no such node",
        {"compute": {**_COMPUTE, "nodeSelector": {"disk": "floppy"}}},
        a_pod(is_unscheduled),
        "Pending",
        "Unschedulable",
        "didn't match Pod's node affinity/selector",
        {"compute": {"nodeSelector": None}},
    ),
    Situation(
        "no such claim",
        {"storage": {"claimName": "nowhere"}},
        a_pod(is_unscheduled),
        "Pending",
        "ClaimNotReady",
        'persistentvolumeclaim "nowhere" not found',
        {"storage": TINY["spec"]["storage"]},
    ),
    Situation(
        "no such data",
        {"stages": training_on("workspace://inputs/tiny/nothing.jsonl")},
        a_pod(has_ended),
        "Failed",
        "BadData",
        "spec.stages[0].sft.datasets[0].uri: workspace://inputs/tiny/nothing.jsonl does not exist on the workspace volume",
        {"stages": training_on("workspace://inputs/tiny/sft.jsonl")},
    ),
    Situation(
        "no room",
        {"compute": {**_COMPUTE, "memory": "300Mi"}},
        a_pod(has_ended),
        "Failed",
        "OOMKilled",
        "used more than its memory limit; raise compute.memory",
        {"compute": {"memory": _COMPUTE["memory"]}},
    ),
    Situation(
        "no such secret",
        {"hubTokenSecret": {"name": "nowhere", "key": "token"}},
        a_warning("FailedMount"),
        "Pending",
        "FailedMount",
        'secret "nowhere" not found',
        {"hubTokenSecret": None},
        _EVENTS_WITHIN_SECONDS,
    ),
    Situation(
        "no quota",
        {"compute": {**_COMPUTE, "rdma": {"resourceName": nodes.DEVICE, "count": 1}}},
        a_warning("FailedCreatePod"),
        "Pending",
        "FailedCreatePod",
        "exceeded quota: no-devices",
        {"compute": {"rdma": None}},
        _EVENTS_WITHIN_SECONDS,
    ),
]
IDS = [row.name.replace(" ", "-") for row in SITUATIONS]


@pytest.fixture(scope="module")
def no_devices(workspace: Workspace) -> Iterator[None]:
    """Create a quota that refuses pods with a device, and no other pods."""
    quota = {"metadata": {"name": "no-devices"}, "spec": {"hard": {f"requests.{nodes.DEVICE}": "0"}}}
    workspace.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    # Before its controller has counted once, a quota refuses all pods, with another message.
    wait_for(
        "the quota has been counted", lambda: "used" in (workspace.kubectl.get("quota", "no-devices") or {}).get("status", {})
    )
    yield
    workspace.kubectl.delete("quota", "no-devices")


@pytest.fixture(scope="module")
def broken(start: StartJob, no_devices: None) -> dict[str, Job]:
    """Start all faulty jobs at once, because most of them only wait."""
    return {row.name: start(a_job(row.name.replace(" ", "-"), **row.fault)) for row in SITUATIONS}


def a_job(name: str, **fault: Any) -> Object:
    """Return a job with one pod and two steps."""
    return short_job(name, **{"compute": _COMPUTE, "stages": training_on("workspace://inputs/tiny/sft.jsonl"), **fault})


def expect_reason(
    job: Job,
    shows: Callable[[Job], object],
    phase: str,
    reason: str,
    sentence: str,
    patience_seconds: int = _REPORTED_WITHIN_SECONDS,
) -> None:
    wait_for("the cluster shows the fault", lambda: shows(job), job.describe, pause_seconds=0.3)
    status = job.wait(f"the reason is {reason}", lambda status: status.get("reason") == reason, patience_seconds)
    assert status["phase"] == phase
    assert sentence in status["message"]
    # The operator creates the Event after it has written the status.
    wait_for("an Event has the reason", lambda: reason in [known for known, _ in job.events()], job.describe)


@pytest.mark.parametrize("row", SITUATIONS, ids=IDS)
def test_the_status_reports_the_fault(row: Situation, broken: dict[str, Job]) -> None:
    expect_reason(broken[row.name], row.shows, row.phase, row.reason, row.sentence, row.patience_seconds)


@pytest.fixture(scope="module")
def generations(broken: dict[str, Job]) -> dict[str, int]:
    """Correct all jobs at once, so that they run side by side; return the generation of each before that."""
    before = {}
    for row in SITUATIONS:
        before[row.name] = broken[row.name].read()["metadata"]["generation"]
        broken[row.name].change(**row.corrected)
    return before


@pytest.mark.parametrize("row", SITUATIONS, ids=IDS)
def test_the_corrected_job_completes(row: Situation, broken: dict[str, Job], generations: dict[str, int]) -> None:
    job, generation = broken[row.name], generations[row.name]
    job.wait(
        "the operator has seen the change",
        lambda status: status["observedGeneration"] > generation and status["phase"] != "Failed",
    )
    job.wait_for_end()


def test_a_wrong_image_is_named_and_the_job_completes_once_it_is_corrected(
    start: StartJob, installation: Installation, environment: Environment, beside_survival: None
) -> None:
    # An image is a setting of the chart, not of the job.
    installation.apply({"trainer": {"image": {"tag": "nowhere"}}})
    try:
        # On the node that stays.
        compute = {**_COMPUTE, "cpu": "200m", "nodeSelector": environment.steady}
        job = start(a_job("no-such-image", compute=compute))
        expect_reason(job, a_pod(is_waiting_for_image), "Pending", "ImagePullBackOff", "alignment-trainer:nowhere")
    finally:
        installation.apply()
    job.wait_for_end()
    assert job.stage("sft")["applicationFailures"] == 0
