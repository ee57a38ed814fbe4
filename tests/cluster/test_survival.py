"""A job survives a deleted pod, and then a node without power: it continues from its newest checkpoint."""

from alignment_api.names import JOB_LABEL
from cluster.conftest import Beside, StartJob
from cluster.environment import Environment
from cluster.jobs import CHECKPOINT_EVERY_STEPS, Job, short_job
from cluster.progress import expect_whole, first_step, reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace


def test_a_pod_is_deleted_and_then_a_node_loses_its_power(
    start: StartJob, workspace: Workspace, environment: Environment, beside: Beside
) -> None:
    # That job uses the node that is switched off, and those before it did.
    beside.victim.result()
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=survivor") as children:
        job = start(short_job("survivor"))
        train_until(12, job, workspace)
        job.kubectl.delete("pod", "survivor-sft-1-worker-0", "--wait=false")
        job.wait("the next attempt starts", lambda status: status["stages"][0]["attempts"] == 2)
        attempts, before = 2, reached(job, workspace)
        train_until(24, job, workspace)
        # The pods of an attempt are gone when the next one begins.
        expect_resumed(job, attempts, before)
        # On a foreign cluster no node can be switched off.
        if environment.state:
            attempts, before = 3, _lose_power(job, workspace, environment)
        expect_whole(job, workspace, children, attempts)
        expect_resumed(job, attempts, before)


def expect_resumed(job: Job, attempt: int, before: int) -> None:
    """Check that an attempt began after the newest checkpoint of the attempt before, which had reached this step."""
    assert before - CHECKPOINT_EVERY_STEPS < first_step(job, attempt) <= before + 1


def _lose_power(job: Job, workspace: Workspace, environment: Environment) -> int:
    """Switch node 2 off until the job reports it, and return the step that the job had reached."""
    environment.power("node-down", 2)
    try:
        job.wait("the status reports the lost node", lambda status: "does not answer" in status.get("message", ""))
        return reached(job, workspace)
    finally:
        environment.power("node-up", 2)
