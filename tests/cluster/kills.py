"""A job whose operator is killed again and again, and a job whose training process is killed beside it."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from alignment_api.names import JOB_LABEL
from cluster.installation import Installation
from cluster.jobs import TINY, Job, delete, short_job, two_steps_of_dpo
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


@contextmanager
def kills(installation: Installation, workspace: Workspace) -> Iterator[Kills]:
    """Run both jobs at the same time."""
    first, second = _long_job(), _job_with_checkpoints()
    jobs = [Job(workspace.kubectl, installation, document["metadata"]["name"]) for document in (first, second)]
    try:
        with (
            Watch(workspace.kubectl, "pytorchjobs", f"{JOB_LABEL}={jobs[0].name}") as watch,
            ThreadPoolExecutor(1) as beside,
        ):
            workspace.kubectl.apply(first, second)
            killed = beside.submit(_kill_process, jobs[1], workspace)
            for step in sorted(random.Random(7).sample(range(_KILLED_STEPS), _KILLS)):
                train_until(step, jobs[0], workspace)
                installation.kill_operator()
            jobs[0].wait_for_end()
            killed.result()
            children = watch.uids()
        yield Kills(jobs[0], children, jobs[1], workspace)
    finally:
        delete(*jobs)


def _long_job() -> Object:
    document = short_job("killed", compute={**_COMPUTE, "cpu": "300m"})
    document["spec"]["stages"].append(two_steps_of_dpo())
    # Many short steps: the more of them, the more different moments are hit.
    document["spec"]["stages"][0]["sft"]["optimization"].update(maxSteps=_KILLED_STEPS, globalBatchSize=16)
    return document


def _job_with_checkpoints() -> Object:
    document = short_job("memory", compute={**_COMPUTE, "cpu": "200m"})
    document["spec"]["stages"][0]["sft"]["optimization"]["maxSteps"] = 20
    return document


def _kill_process(job: Job, workspace: Workspace) -> None:
    train_until(7, job, workspace)
    kill_rank(job, attempt=1)
    job.wait_for_end()
