"""Reads the progress of a job's training from the journal on the workspace and the logs of its pods."""

import re

from alignment_api import metrics
from cluster.jobs import Job
from cluster.kubectl import wait_for
from cluster.workspace import Workspace

# The command line of the launcher contains the module of the ranks too; do not kill the launcher.
_KILL_RANK = """
import os, pathlib, signal
for process in filter(str.isdigit, os.listdir("/proc")):
    words = pathlib.Path("/proc", process, "cmdline").read_bytes().split(b"\\0")
    if b"alignment_trainer.rank" in words and b"alignment_trainer.process.torchrun" not in words:
        os.kill(int(process), signal.SIGKILL)
"""


def steps(job: Job, workspace: Workspace) -> list[int]:
    """Return the steps of the first stage that have a loss in the journal, in the order of its lines."""
    return _steps(workspace, job.folder("sft"))


def reached(job: Job, workspace: Workspace) -> int:
    """Return the highest step in the journal."""
    return max(steps(job, workspace), default=0)


def train_until(step: int, job: Job, workspace: Workspace) -> None:
    """Wait until a step is in the journal."""
    folder = job.folder("sft")
    wait_for(
        f"{job.name} trains step {step}",
        lambda: max(_steps(workspace, folder), default=0) >= step,
        job.describe,
        pause_seconds=0.2,
    )


def first_step(job: Job, attempt: int) -> int:
    """Return the first step that an attempt trained."""
    logged = re.search(r"^step (\d+)/", job.kubectl("logs", f"{job.name}-sft-{attempt}-master-0"), re.MULTILINE)
    assert logged, job.describe()
    return int(logged[1])


def kill_rank(job: Job, attempt: int) -> None:
    """Send SIGKILL to the training process in the first pod of an attempt, as the host does when its memory runs out."""
    job.kubectl("exec", "--stdin", f"{job.name}-sft-{attempt}-master-0", "--", "python", "-", given=_KILL_RANK)


def expect_every_step_once(job: Job, workspace: Workspace) -> None:
    """Check that the journal contains every step once and in order."""
    done = steps(job, workspace)
    assert done == list(range(1, job.stage("sft")["progress"]["totalSteps"] + 1))


def _steps(workspace: Workspace, folder: str) -> list[int]:
    return [point["step"] for point in workspace.points(folder) if metrics.LOSS in point["metrics"]]
