"""The installation's MLflow server: reads its runs, stops it, and makes it refuse writes."""

import contextlib
from collections.abc import Iterator

from alignment_api import metrics
from cluster.installation import Installation
from cluster.jobs import Job
from cluster.kubectl import wait_for
from mlflow import MlflowClient
from mlflow.entities import Run

_PORT = 5000

# Like a full volume, this refuses new data and allows reads: no file of the server may grow beyond the limit. A process of
# the same user may lower this limit and raise it again.
_LIMIT_FILES = """
import os, resource, sys
for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) != os.getpid():
        _, most = resource.prlimit(int(pid), resource.RLIMIT_FSIZE)
        resource.prlimit(int(pid), resource.RLIMIT_FSIZE, (0 if sys.argv[1] == "refuse" else most, most))
"""


@contextlib.contextmanager
def client(installation: Installation) -> Iterator[MlflowClient]:
    """Yield a client of the server."""
    with installation.kubectl.forwarded(f"{installation.name}-mlflow", _PORT) as address:
        yield MlflowClient(address)


@contextlib.contextmanager
def refusing_writes(installation: Installation) -> Iterator[None]:
    """Let the server answer reads and refuse writes."""
    server = f"deployment/{installation.name}-mlflow"
    installation.kubectl("exec", "--stdin", server, "--", "python", "-", "refuse", given=_LIMIT_FILES)
    try:
        yield
    finally:
        installation.kubectl("exec", "--stdin", server, "--", "python", "-", "allow", given=_LIMIT_FILES)


@contextlib.contextmanager
def down(installation: Installation) -> Iterator[None]:
    """Stop the server."""
    server = f"{installation.name}-mlflow"
    installation.kubectl("scale", "deployment", server, "--replicas=0")
    installation.kubectl("wait", "--for=delete", "pod", "--selector", _selector(installation), "--timeout=120s")
    try:
        yield
    finally:
        installation.kubectl("scale", "deployment", server, "--replicas=1")
        installation.kubectl("rollout", "status", f"deployment/{server}", "--timeout=300s")


def stage_runs(job: Job, mlflow: MlflowClient) -> list[Run]:
    """Return the runs of a job's stages, the newest first."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments()]
    uid = job.read()["metadata"]["uid"]
    runs = mlflow.search_runs(experiments, f"tags.`{metrics.JOB_UID_TAG}` = '{uid}'")
    return [run for run in runs if metrics.STAGE_TAG in run.data.tags]


def steps_logged(job: Job, mlflow: MlflowClient) -> list[int]:
    """Return the steps that have a loss in the newest run of a job's only stage, in the server's order."""
    history = mlflow.get_metric_history(stage_runs(job, mlflow)[0].info.run_id, metrics.LOSS)
    return [point.step for point in history]


def await_steps(job: Job, mlflow: MlflowClient, expected: list[int]) -> None:
    """Wait until MLflow has all steps."""
    wait_for("all steps are in MLflow", lambda: steps_logged(job, mlflow) == expected, job.describe)


def _selector(installation: Installation) -> str:
    return f"app.kubernetes.io/instance={installation.release},app.kubernetes.io/component=mlflow"
