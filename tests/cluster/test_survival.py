"""A job survives a deleted pod, and then a node without power: it continues from its newest checkpoint."""

from alignment_api.names import JOB_LABEL
from cluster.beside import Beside
from cluster.environment import Environment
from cluster.jobs import CHECKPOINT_EVERY_STEPS, TINY, Job, StartJob, short_job
from cluster.kubectl import Object
from cluster.progress import expect_whole, first_step, reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace

_POWERLESS = 2
"""The node that is switched off."""


def test_a_pod_is_deleted_and_then_a_node_loses_its_power(
    start: StartJob, workspace: Workspace, environment: Environment, beside: Beside
) -> None:
    # Their jobs use the node that is switched off.
    for future in (beside.victim, beside.interruptions, beside.kills):
        future.result()
    # On a foreign cluster no node can be switched off.
    alone = start(_with_one_pod(_POWERLESS)) if environment.state else None
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=survivor") as children:
        # Small enough for a place on each node, also beside the jobs of an upgrade.
        job = start(short_job("survivor", compute={**TINY["spec"]["compute"], "cpu": "500m"}))
        train_until(12, job, workspace)
        job.kubectl.delete("pod", "survivor-sft-1-worker-0", "--wait=false")
        job.wait("the next attempt starts", lambda status: status["stages"][0]["attempts"] == 2)
        attempts, before = 2, reached(job, workspace)
        train_until(24, job, workspace)
        # The pods of an attempt are gone when the next one begins.
        expect_resumed(job, attempts, before)
        if alone:
            attempts, before = 3, _lose_power(job, alone, workspace, environment)
        expect_whole(job, workspace, children, attempts)
        expect_resumed(job, attempts, before)


def expect_resumed(job: Job, attempt: int, before: int) -> None:
    """Check that an attempt began after the newest checkpoint of the attempt before, which had reached this step."""
    assert before - CHECKPOINT_EVERY_STEPS < first_step(job, attempt) <= before + 1


def _with_one_pod(node: int) -> Object:
    """Return a job on this node only; it trains on, with what CPU others leave, until the node loses its power."""
    compute = {**TINY["spec"]["compute"], "nodes": 1, "cpu": "10m", "nodeSelector": {"kubernetes.io/hostname": f"node-{node}"}}
    return short_job("alone", 10_000, compute=compute)


def _lose_power(job: Job, alone: Job, workspace: Workspace, environment: Environment) -> int:
    """Switch a node off until both jobs report it, and return the step that the first one had reached."""
    alone.wait("its pod runs", lambda status: status.get("phase") == "Running")
    environment.power("node-down", _POWERLESS)
    try:
        job.wait("the lost pod keeps the attempt", lambda status: _waits_for_the_node(status, "Stopping"))
        # This job has no other pod that could miss the lost one: only the node's state shows it.
        alone.wait("the reason is the lost node", lambda status: _waits_for_the_node(status, "NodeNotReady"))
        # Resuming would take the CPU that the other job needs.
        alone.change(suspend=True)
        return reached(job, workspace)
    finally:
        environment.power("node-up", _POWERLESS)


def _waits_for_the_node(status: Object, reason: str) -> bool:
    return status.get("reason") == reason and "on a node that does not answer" in status["message"]
