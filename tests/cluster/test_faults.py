"""A training process and the operator are killed, and each job still completes."""

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from alignment_api.names import JOB_LABEL
from cluster.conftest import StartJob
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job, two_steps_of_dpo
from cluster.progress import expect_every_step_once, kill_rank, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace

_KILLS = 10
_KILLED_STEPS = 120
"""The kills come at random ones of these steps: while the job is created, trained and ends its first stage."""


@pytest.fixture(scope="module")
def killed_process(start: StartJob, workspace: Workspace) -> Iterator[Future[Job]]:
    """A job with one pod in which a process is killed; it runs beside the job whose operator is killed."""

    def run() -> Job:
        document = short_job("memory", compute={**TINY["spec"]["compute"], "nodes": 1, "cpu": "300m"})
        document["spec"]["stages"][0]["sft"]["optimization"]["maxSteps"] = 20
        job = start(document)
        train_until(7, job, workspace)
        kill_rank(job, attempt=1)
        job.wait_for_end()
        return job

    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(run)


def test_the_operator_is_killed_again_and_again(
    start: StartJob, workspace: Workspace, installation: Installation, killed_process: Future[Job]
) -> None:
    document = short_job("killed", compute={**TINY["spec"]["compute"], "nodes": 1})
    document["spec"]["stages"].append(two_steps_of_dpo())
    # Many short steps: the more of them, the more different moments are hit.
    document["spec"]["stages"][0]["sft"]["optimization"].update(maxSteps=_KILLED_STEPS, globalBatchSize=16)
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=killed") as children:
        job = start(document)
        for step in sorted(random.Random(7).sample(range(_KILLED_STEPS), _KILLS)):
            train_until(step, job, workspace)
            installation.kill_operator()
        job.wait_for_end()
        assert [stage["attempts"] for stage in job.status["stages"]] == [1, 1]
        assert {name: len(uids) for name, uids in children.uids().items()} == {"killed-sft-1": 1, "killed-dpo-1": 1}
    events = job.events()
    assert sorted(events) == sorted(set(events))


def test_a_process_is_killed_but_its_pod_survives(killed_process: Future[Job], workspace: Workspace) -> None:
    job = killed_process.result()
    stage = job.stage("sft")
    # The pod was not removed, so the host probably ran out of memory; unlimited retries would not help.
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 1, 0), job.describe()
    [warning] = [message for reason, message in job.events() if reason == "ProcessKilled"]
    assert "memory" in warning
    expect_every_step_once(job, workspace)
