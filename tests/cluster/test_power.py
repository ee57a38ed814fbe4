"""A node loses its power during training and returns, and the job completes."""

from alignment_api.names import JOB_LABEL
from cluster.conftest import StartJob
from cluster.delays import Delays
from cluster.environment import Environment
from cluster.jobs import CHECKPOINT_EVERY_STEPS, short_job
from cluster.progress import expect_whole, first_step, reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace


def test_a_node_loses_its_power_and_returns(
    start: StartJob, workspace: Workspace, environment: Environment, delayed: Delays
) -> None:
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=power") as children:
        job = start(short_job("power"))
        train_until(12, job, workspace)
        environment.power("node-down", 2)
        try:
            job.wait("the status reports the lost node", lambda status: "does not answer" in status.get("message", ""))
            before = reached(job, workspace)
        finally:
            environment.power("node-up", 2)
        expect_whole(job, workspace, children, attempts=2)
        assert before - CHECKPOINT_EVERY_STEPS < first_step(job, attempt=2) <= before + 1
