"""What breaks in a cluster breaks here, and each job completes all the same."""

import random
import time

import pytest
from alignment_api.names import JOB_LABEL
from cluster.conftest import StartJob
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job
from cluster.progress import expect_every_step_once, first_step, kill_rank, reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace

_CHECKPOINT_EVERY_STEPS = 5
_KILLS = 10


def expect_whole(job: Job, workspace: Workspace, children: Watch, attempts: int) -> None:
    """Expect that it completed, that no child was made twice, and that every step was measured, once and in order."""
    job.wait_for_end()
    stage = job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"]) == (attempts, 0), job.describe()
    made = children.uids()
    assert sorted(made) == [f"{job.name}-sft-{attempt + 1}" for attempt in range(attempts)]
    assert [name for name, uids in made.items() if len(uids) > 1] == []
    expect_every_step_once(job, workspace)


def test_a_worker_pod_is_deleted(start: StartJob, workspace: Workspace) -> None:
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=worker") as children:
        job = start(short_job("worker"))
        train_until(12, job, workspace)
        job.kubectl.delete("pod", "worker-sft-1-worker-0", "--wait=false")
        job.wait("the next attempt", lambda status: status["stages"][0]["attempts"] == 2)
        before = reached(job, workspace)
        expect_whole(job, workspace, children, attempts=2)
        assert before - _CHECKPOINT_EVERY_STEPS < first_step(job, attempt=2) <= before + 1


def test_a_node_loses_its_power_and_comes_back(start: StartJob, workspace: Workspace, environment: Environment) -> None:
    if environment.state is None:
        pytest.skip("only the cluster of this folder has a power switch")
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=power") as children:
        job = start(short_job("power"))
        train_until(12, job, workspace)
        environment.power("node-down", 2)
        try:
            job.wait("the loss is seen", lambda status: "does not answer" in status.get("message", ""))
            before = reached(job, workspace)
        finally:
            environment.power("node-up", 2)
        expect_whole(job, workspace, children, attempts=2)
        assert before - _CHECKPOINT_EVERY_STEPS < first_step(job, attempt=2) <= before + 1


def test_a_process_is_killed_within_a_pod_that_lives_on(start: StartJob, workspace: Workspace) -> None:
    document = short_job("memory", compute={**TINY["spec"]["compute"], "nodes": 1})
    document["spec"]["stages"][0]["sft"]["optimization"]["maxSteps"] = 20
    job = start(document)
    train_until(7, job, workspace)
    kill_rank(job, attempt=1)
    job.wait_for_end()
    stage = job.stage("sft")
    # Nobody has taken the pod away: the host's memory has probably run out, and would do so for ever.
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 1, 0), job.describe()
    [told] = [message for reason, message in job.events() if reason == "ProcessKilled"]
    assert "memory" in told
    expect_every_step_once(job, workspace)


def test_the_operator_is_killed_again_and_again(start: StartJob, workspace: Workspace, installation: Installation) -> None:
    draw = random.Random(7)
    document = short_job("killed", compute={**TINY["spec"]["compute"], "nodes": 1})
    document["spec"]["stages"] += [{**TINY["spec"]["stages"][1]}]
    # Long enough for all the kills to come before its end.
    document["spec"]["stages"][0]["sft"]["optimization"]["maxSteps"] = 240
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=killed") as children:
        job = start(document)
        for _ in range(_KILLS):
            time.sleep(draw.uniform(0, 12))
            assert job.status.get("phase") not in ("Succeeded", "Failed"), job.describe()
            installation.kill_operator()
        job.wait_for_end()
        assert [stage["attempts"] for stage in job.status["stages"]] == [1, 1]
        assert {name: len(uids) for name, uids in children.uids().items()} == {"killed-sft-1": 1, "killed-dpo-1": 1}
    told = job.events()
    assert sorted(told) == sorted(set(told))
