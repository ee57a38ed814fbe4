"""The installation's MLflow server: asked as anybody may, taken away, and kept from writing."""

import contextlib
from collections.abc import Iterator

from alignment_api import metrics
from cluster.installation import Installation
from cluster.jobs import Job
from cluster.kubectl import wait_for
from mlflow import MlflowClient
from mlflow.entities import Run

_PORT = 5000

# As on a full volume, nothing can be written that is not there yet, and all can be read. No file of the server may grow
# beyond the limit, which whoever runs as its user may lower and raise again.
_LIMIT_FILES = """
import os, resource, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) != os.getpid():
        _, most = resource.prlimit(int(pid), resource.RLIMIT_FSIZE)
        resource.prlimit(int(pid), resource.RLIMIT_FSIZE, (0 if sys.argv[1] == "refuse" else most, most))
"""


@contextlib.contextmanager
def client(installation: Installation) -> Iterator[MlflowClient]:
    """Ask the server itself."""
    with installation.kubectl.forwarded(f"{installation.name}-mlflow", _PORT) as address:
        yield MlflowClient(address)


@contextlib.contextmanager
def refusing_writes(installation: Installation) -> Iterator[None]:
    """Have the server answer all questions and refuse whatever is to be written."""
    server = f"deployment/{installation.name}-mlflow"
    installation.kubectl("exec", "--stdin", server, "--", "python", "-", "refuse", given=_LIMIT_FILES)
    try:
        yield
    finally:
        installation.kubectl("exec", "--stdin", server, "--", "python", "-", "allow", given=_LIMIT_FILES)


@contextlib.contextmanager
def away(installation: Installation) -> Iterator[None]:
    """Have no server at all."""
    server = f"{installation.name}-mlflow"
    installation.kubectl("scale", "deployment", server, "--replicas=0")
    installation.kubectl("wait", "--for=delete", "pod", "--selector", _selector(installation), "--timeout=120s")
    try:
        yield
    finally:
        installation.kubectl("scale", "deployment", server, "--replicas=1")
        installation.kubectl("rollout", "status", f"deployment/{server}", "--timeout=300s")


def stage_runs(job: Job, asked: MlflowClient) -> list[Run]:
    """Give the runs of a job's stages, the newest first."""
    experiments = [experiment.experiment_id for experiment in asked.search_experiments()]
    uid = job.read()["metadata"]["uid"]
    runs = asked.search_runs(experiments, f"tags.`{metrics.JOB_UID_TAG}` = '{uid}'")
    return [run for run in runs if metrics.STAGE_TAG in run.data.tags]


def steps_logged(job: Job, asked: MlflowClient) -> list[int]:
    """Give the steps whose loss is in the newest run of a job's only stage, in the order in which they are kept."""
    history = asked.get_metric_history(stage_runs(job, asked)[0].info.run_id, metrics.LOSS)
    return [point.step for point in history]


def await_steps(job: Job, asked: MlflowClient, expected: list[int]) -> None:
    """Wait until all steps have arrived."""
    wait_for("all steps are in MLflow", lambda: steps_logged(job, asked) == expected, job.describe)


def _selector(installation: Installation) -> str:
    return f"app.kubernetes.io/instance={installation.release},app.kubernetes.io/component=mlflow"
