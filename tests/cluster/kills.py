"""A job whose operator is killed again and again, and a job whose training process is killed beside it."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from alignment_api.names import JOB_LABEL
from cluster.installation import Installation
from cluster.jobs import TINY, Job, short_job, start_job, two_steps_of_dpo
from cluster.kubectl import Object
from cluster.progress import kill_rank, train_until
from cluster.watch import Watch
from cluster.workspace import Workspace

_KILLS = 10
_KILLED_STEPS = 120
"""The operator is killed at random ones of these steps: while the job is created, trained and ends its first stage."""
_COMPUTE: Object = {**TINY["spec"]["compute"], "nodes": 1}


@dataclass(frozen=True)
class Kills:
    """Both jobs after their end."""

    operator_killed: Job
    children: dict[str, set[str]]
    """The uids of all PyTorchJobs that the first job ever had, by name."""
    process_killed: Job
    workspace: Workspace


def kills(installation: Installation, workspace: Workspace) -> Kills:
    """Run both jobs at the same time."""
    kubectl, name = workspace.kubectl, "killed"
    with Watch(kubectl, "pytorchjobs", f"{JOB_LABEL}={name}") as watch, ThreadPoolExecutor(1) as beside:
        job = start_job(kubectl, installation, _long_job(name))
        other = start_job(kubectl, installation, short_job("memory", 20, compute={**_COMPUTE, "cpu": "200m"}))
        killed = beside.submit(_kill_process, other, workspace)
        for step in sorted(random.Random(7).sample(range(_KILLED_STEPS), _KILLS)):
            train_until(step, job, workspace)
            installation.kill_operator()
        job.wait_for_end()
        killed.result()
        return Kills(job, watch.uids(), other, workspace)


def _long_job(name: str) -> Object:
    document = short_job(name, _KILLED_STEPS, compute={**_COMPUTE, "cpu": "300m"})
    document["spec"]["stages"].append(two_steps_of_dpo())
    # Many short steps: the more of them, the more different moments are hit.
    document["spec"]["stages"][0]["sft"]["optimization"]["globalBatchSize"] = 16
    return document


def _kill_process(job: Job, workspace: Workspace) -> None:
    train_until(7, job, workspace)
    kill_rank(job, attempt=1)
    job.wait_for_end()
