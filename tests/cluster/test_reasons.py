"""What is wrong is said in the job within seconds, in words a person can act on; mending it heals the job."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from cluster import nodes
from cluster.conftest import StartJob
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job
from cluster.kubectl import Object, wait_for
from cluster.workspace import Workspace

_SAID_WITHIN_SECONDS = 10
_WARNED_WITHIN_SECONDS = 30
"""For what Kubernetes says in no pod's status, only in an Event."""
_COMPUTE: Object = {**TINY["spec"]["compute"], "nodes": 1}


class Situation(NamedTuple):
    """A fault in a spec, how the cluster shows it, what the job says, and the change that heals it."""

    name: str
    fault: dict[str, Any]
    shows: Callable[[Job], object]
    phase: str
    reason: str
    sentence: str
    mended: dict[str, Any]
    patience_seconds: int = _SAID_WITHIN_SECONDS


def a_pod(shows: Callable[[Object], object]) -> Callable[[Job], bool]:
    """Look for a pod of the job that shows it."""
    return lambda job: any(shows(pod) for pod in job.pods())


def a_warning(reason: str) -> Callable[[Job], bool]:
    """Look for an Event of the job's PyTorchJob or pods."""
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
    """Give the stages of a job of two steps."""
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
        _WARNED_WITHIN_SECONDS,
    ),
    Situation(
        "no quota",
        {"compute": {**_COMPUTE, "rdma": {"resourceName": nodes.DEVICE, "count": 1}}},
        a_warning("FailedCreatePod"),
        "Pending",
        "FailedCreatePod",
        "exceeded quota: no-devices",
        {"compute": {"rdma": None}},
        _WARNED_WITHIN_SECONDS,
    ),
]
IDS = [row.name.replace(" ", "-") for row in SITUATIONS]


@pytest.fixture(scope="module")
def no_devices(workspace: Workspace) -> Iterator[None]:
    """A quota that lets no pod have a device, and leaves those alone that ask for none."""
    quota = {"metadata": {"name": "no-devices"}, "spec": {"hard": {f"requests.{nodes.DEVICE}": "0"}}}
    workspace.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    # Until its controller has counted, a quota refuses everything, with another sentence.
    wait_for("the quota is counted", lambda: "used" in (workspace.kubectl.get("quota", "no-devices") or {}).get("status", {}))
    yield
    workspace.kubectl.delete("quota", "no-devices")


@pytest.fixture(scope="module")
def broken(start: StartJob, no_devices: None) -> dict[str, Job]:
    """All of them at once: most only wait."""
    return {row.name: start(a_job(row.name.replace(" ", "-"), **row.fault)) for row in SITUATIONS}


def a_job(name: str, **fault: Any) -> Object:
    """A job of one pod and two steps."""
    return short_job(name, **{"compute": _COMPUTE, "stages": training_on("workspace://inputs/tiny/sft.jsonl"), **fault})


def expect_reason(
    job: Job,
    shows: Callable[[Job], object],
    phase: str,
    reason: str,
    sentence: str,
    patience_seconds: int = _SAID_WITHIN_SECONDS,
) -> None:
    wait_for("the fault shows", lambda: shows(job), job.describe)
    status = job.wait(f"it says {reason}", lambda status: status.get("reason") == reason, patience_seconds)
    assert status["phase"] == phase
    assert sentence in status["message"]
    assert reason in [told for told, _ in job.events()]


@pytest.mark.parametrize("row", SITUATIONS, ids=IDS)
def test_the_job_says_what_is_wrong(row: Situation, broken: dict[str, Job]) -> None:
    expect_reason(broken[row.name], row.shows, row.phase, row.reason, row.sentence, row.patience_seconds)


@pytest.mark.parametrize("row", SITUATIONS, ids=IDS)
def test_mended_it_completes(row: Situation, broken: dict[str, Job]) -> None:
    job = broken[row.name]
    generation = job.read()["metadata"]["generation"]
    job.change(**row.mended)
    job.wait("the change is seen", lambda status: status["observedGeneration"] > generation and status["phase"] != "Failed")
    job.wait_for_end()


@pytest.fixture(scope="module")
def wrong_image(installation: Installation) -> Iterator[None]:
    """The setting of whoever installed the operator, not of the job."""
    installation.apply({"trainer": {"image": {"tag": "nowhere"}}})
    yield
    installation.apply()


def test_a_wrong_image_is_named_and_its_mending_heals_the_job(
    wrong_image: None, start: StartJob, installation: Installation
) -> None:
    job = start(a_job("no-such-image"))
    expect_reason(job, a_pod(is_waiting_for_image), "Pending", "ImagePullBackOff", "alignment-trainer:nowhere")
    installation.apply()
    job.wait_for_end()
    assert job.stage("sft")["applicationFailures"] == 0
