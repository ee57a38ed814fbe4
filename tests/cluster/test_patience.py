"""Delays are not failures: a late node, a late peer, and MLflow that is down or refuses writes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alignment_api.names import PLURAL
from cluster import nodes, tracking
from cluster.conftest import StartJob
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job
from cluster.kubectl import Object
from cluster.progress import expect_every_step_once, steps, train_until
from cluster.watch import Watch, changes
from cluster.workspace import Workspace

_STALL_SECONDS = 60
"""The minimum that the schema allows."""
_LONGER_SECONDS = 75
# So small that all jobs fit on one node with two CPUs.
_COMPUTE: Object = {**TINY["spec"]["compute"], "cpu": "100m"}
_LATE_NODE = "node-2"


@dataclass(frozen=True)
class Story:
    """Three jobs, their status while something was missing, and every status that they ever had."""

    patient: Job
    late: Job
    untracked: Job
    waiting: dict[str, Object]
    """For each job, its status while the second node was closed."""
    silent: dict[str, list[Object]]
    """For each fault of MLflow, the status of the training job before and after it."""
    history: Watch

    def phases(self, job: Job) -> list[tuple[str, str]]:
        """Return phase and reason of every status that a job ever had, without repetitions."""
        statuses = [found.get("status", {}) for found in self.history.objects() if found["metadata"]["name"] == job.name]
        return changes((status.get("phase", ""), status.get("reason", "")) for status in statuses)


def a_job(name: str, steps: int, **spec: Any) -> Object:
    """Return a job with this many steps and a short stall timeout."""
    document = short_job(name, restart={"stallTimeoutSeconds": _STALL_SECONDS}, **spec)
    document["spec"]["stages"][0]["sft"]["optimization"]["maxSteps"] = steps
    return document


@pytest.fixture(scope="module")
def story(start: StartJob, workspace: Workspace, installation: Installation, environment: Environment) -> Iterator[Story]:
    """Run all jobs at the same time, because waiting jobs need no CPU."""
    if environment.state is None:
        pytest.skip("needs the cluster of this folder, whose nodes can be closed")
    nodes.give_devices(workspace.kubectl)
    on_late_node = {**_COMPUTE, "nodes": 1, "nodeSelector": {"kubernetes.io/hostname": _LATE_NODE}}
    one_each = {**_COMPUTE, "rdma": {"resourceName": nodes.DEVICE, "count": 1}}
    silent: dict[str, list[Object]] = {}
    with Watch(workspace.kubectl, PLURAL, "") as history:
        with nodes.closed(workspace.kubectl, _LATE_NODE):
            patient = start(a_job("patient", 2, compute=on_late_node, activeDeadlineSeconds=_LONGER_SECONDS))
            late = start(a_job("late", 10, compute=one_each))
            # Long enough that it still trains when this fixture is done, on any machine.
            untracked = start(a_job("untracked", 100_000, compute={**_COMPUTE, "nodes": 1}))
            train_until(3, untracked, workspace)
            with tracking.down(installation):
                silent["is down"] = _before_and_after(untracked)
            waiting = {job.name: job.status for job in (patient, late)}
        # Now the two other jobs run as well, also without metrics in MLflow.
        with tracking.refusing_writes(installation):
            silent["refuses writes"] = _before_and_after(untracked)
        yield Story(patient, late, untracked, waiting, silent, history)


def _before_and_after(job: Job) -> list[Object]:
    before = job.status
    time.sleep(_LONGER_SECONDS)
    return [before, job.status]


def test_a_late_node_uses_no_budget(story: Story) -> None:
    assert story.waiting["patient"]["reason"] == "Unschedulable"
    story.patient.wait_for_end()
    stage = story.patient.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (1, 0, 0), story.phases(
        story.patient
    )


def test_a_late_peer_uses_no_budget(story: Story, workspace: Workspace) -> None:
    waiting = story.waiting["late"]
    assert waiting["reason"] == "Unschedulable"
    assert "waiting for 1 of 2 nodes: 0/2 nodes are available" in waiting["message"]
    assert "Insufficient alignment-suite.dev/port" in waiting["message"]
    story.late.wait_for_end()
    stage = story.late.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (1, 0, 0), story.phases(
        story.late
    )
    expect_every_step_once(story.late, workspace)


@pytest.mark.parametrize("mlflow", ["is down", "refuses writes"])
def test_progress_is_known_without_mlflow(mlflow: str, story: Story) -> None:
    before, after = (status["stages"][0] for status in story.silent[mlflow])
    assert after["state"] == "Running", after
    assert after["attempts"] == 1
    assert after["progress"]["step"] > before.get("progress", {}).get("step", 0)
    assert after.get("reason") not in ("Stalled", "ProgressUnknown")


def test_training_never_counts_as_stalled_and_no_metric_is_lost(
    story: Story, workspace: Workspace, installation: Installation
) -> None:
    job = story.untracked
    job.change(suspend=True)
    job.wait("the job is suspended", lambda status: status["phase"] == "Suspended")
    assert {reason for _, reason in story.phases(job)}.isdisjoint({"Stalled", "ProgressUnknown"})
    assert job.stage("sft")["attempts"] == 1
    done = steps(job, workspace)
    assert done == list(range(1, len(done) + 1))
    with tracking.client(installation) as mlflow:
        tracking.await_steps(job, mlflow, done)
