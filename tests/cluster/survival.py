"""A job whose pod is deleted, and that then loses a node, beside a job whose only pod is on that node."""

from dataclasses import dataclass
from functools import partial

from alignment_api.names import JOB_LABEL
from cluster.environment import Environment
from cluster.installation import Installation
from cluster.jobs import SLOW, TINY, Job, short_job, start_job
from cluster.kubectl import Object
from cluster.progress import first_step, reached, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace

_POWERLESS = 2
"""The node that is switched off."""


@dataclass(frozen=True)
class Resumption:
    """The step that an attempt had reached when it lost a pod, and the first step of the next one."""

    before: int
    first: int


@dataclass(frozen=True)
class Survived:
    """The job after its end."""

    job: Job
    workspace: Workspace
    resumptions: list[Resumption]
    children: dict[str, set[str]]
    """The uids of all PyTorchJobs that it ever had, by name."""


def survival(installation: Installation, workspace: Workspace, environment: Environment) -> Survived:
    """Run the job to its end; on a foreign cluster, whose nodes cannot be switched off, it loses a pod only."""
    start = partial(start_job, workspace.kubectl, installation)
    alone = start(_with_one_pod(_POWERLESS)) if environment.state else None
    with Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}=survivor") as children:
        # Small enough for a place on each node, also beside the jobs of an upgrade.
        job = start(short_job("survivor", compute={**TINY["spec"]["compute"], "cpu": "500m"}))
        train_until(12, job, workspace)
        job.kubectl.delete("pod", "survivor-sft-1-worker-0", "--wait=false")
        job.wait("the next attempt starts", lambda status: status["stages"][0]["attempts"] == 2)
        before = reached(job, workspace)
        train_until(24, job, workspace)
        # The pods of an attempt are gone when the next one begins.
        resumptions = [Resumption(before, first_step(job, attempt=2))]
        before = _lose_power(job, alone, workspace, environment) if alone else None
        job.wait_for_end()
        if before is not None:
            resumptions.append(Resumption(before, first_step(job, attempt=3)))
        return Survived(job, workspace, resumptions, children.uids())


def _with_one_pod(node: int) -> Object:
    """Return a job on this node only, which trains until the node loses its power."""
    compute = {**TINY["spec"]["compute"], "nodes": 1, "cpu": "10m", "nodeSelector": {"kubernetes.io/hostname": f"node-{node}"}}
    return short_job("alone", 10_000, compute=compute)


def _lose_power(job: Job, alone: Job, workspace: Workspace, environment: Environment) -> int:
    """Switch a node off until both jobs report it, and return the step that the first one had reached."""
    alone.wait("its pod runs", lambda status: status.get("phase") == "Running")
    alone.limit_cpu(SLOW)
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
