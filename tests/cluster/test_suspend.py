"""A job is suspended while it trains, and resumes at the same step."""

import time
from collections.abc import Iterator

import pytest
from cluster.conftest import StartJob
from cluster.jobs import Job, short_job
from cluster.kubectl import wait_for
from cluster.progress import expect_every_step_once, first_step, reached, train_until
from cluster.workspace import Workspace

_GRACE_SECONDS = 60


@pytest.fixture(scope="module")
def suspended(start: StartJob, workspace: Workspace) -> Iterator[tuple[Job, float]]:
    """Suspend a job while it trains, and measure the time until its pods are gone."""
    job = start(short_job("suspended"))
    train_until(7, job, workspace)
    begun = time.monotonic()
    job.change(suspend=True)
    wait_for("the pods are gone", lambda: not job.pods(), job.describe)
    yield job, time.monotonic() - begun


def test_pods_are_gone_within_the_grace_period_with_a_checkpoint(suspended: tuple[Job, float], workspace: Workspace) -> None:
    job, seconds = suspended
    assert seconds < _GRACE_SECONDS
    status = job.wait("the status is Suspended", lambda status: status["phase"] == "Suspended")
    assert status["message"] == "sft: suspended; it will resume from its last checkpoint"
    assert job.children() == []
    step = reached(job, workspace)
    assert step < 40
    assert workspace.checkpoints(job.folder("sft"))[-1] == step


def test_it_resumes_at_that_step(suspended: tuple[Job, float], workspace: Workspace) -> None:
    job, _ = suspended
    before = reached(job, workspace)
    job.change(suspend=False)
    job.wait_for_end()
    assert first_step(job, attempt=2) == before + 1
    expect_every_step_once(job, workspace)
    stage = job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 0, 0)
