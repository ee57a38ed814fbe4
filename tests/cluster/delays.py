"""Jobs that wait: for a late node, for a late peer, and beside an MLflow server that is down or refuses writes."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from alignment_api.names import PLURAL
from cluster import nodes, tracking
from cluster.installation import Installation
from cluster.jobs import FAST, SLOW, TINY, Job, short_job, start_job
from cluster.kubectl import Object
from cluster.progress import train_until
from cluster.watch import Watch, changes
from cluster.workspace import Workspace

_STALL_SECONDS = 60
"""The minimum that the schema allows."""
_LONGER_SECONDS = 75
_LATE_NODE = "node-2"
_LITTLE: Object = {**TINY["spec"]["compute"], "nodes": 1, "cpu": "100m"}
_MORE: Object = {**_LITTLE, "cpu": "300m"}
"""For jobs whose pods must start in time, also beside other pods."""


@dataclass(frozen=True)
class Delays:
    """Three jobs, their status while something was missing, and every status that they ever had."""

    installation: Installation
    workspace: Workspace
    patient: Job
    late: Job
    untracked: Job
    waiting: dict[str, Object]
    """For each job, its status while nodes were missing."""
    silent: dict[str, list[Object]]
    """For each fault of MLflow, the status of the training job before and after it."""
    history: list[Object]
    """Every state that a job of the namespace ever had."""

    def phases(self, job: Job) -> list[tuple[str, str]]:
        """Return phase and reason of every status that a job ever had, without repetitions."""
        statuses = [found.get("status", {}) for found in self.history if found["metadata"]["name"] == job.name]
        return changes((status.get("phase", ""), status.get("reason", "")) for status in statuses)


def delays(installation: Installation, workspace: Workspace) -> Delays:
    """Run all jobs at the same time, because waiting jobs need no CPU."""
    kubectl = workspace.kubectl
    start = partial(start_job, kubectl, installation)
    nodes.prepare(kubectl, _LATE_NODE)
    silent: dict[str, list[Object]] = {}
    with Watch(kubectl, PLURAL, "") as history:
        # Long enough that it still trains at the end, on any machine.
        untracked = start(_a_job("untracked", 100_000, _LITTLE))
        deadline = 2 * _LONGER_SECONDS - 10
        patient = start(_a_job("patient", 2, {**_MORE, "nodeSelector": nodes.ARRIVED}, activeDeadlineSeconds=deadline))
        late = start(_a_job("late", 10, {**_MORE, "nodes": 2, "rdma": {"resourceName": nodes.DEVICE, "count": 1}}))
        train_until(3, untracked, workspace)
        untracked.limit_cpu(SLOW)
        with tracking.down(installation):
            silent["is down"] = _before_and_after(untracked)
        waiting = {"late": late.status}
        nodes.give_device(kubectl, _LATE_NODE)
        # Now this job runs as well, also without metrics in MLflow.
        with tracking.refusing_writes(installation):
            silent["refuses writes"] = _before_and_after(untracked)
        waiting["patient"] = patient.status
        nodes.label(kubectl, _LATE_NODE)
        # It would use the CPU that other tests need.
        untracked.limit_cpu(FAST)
        untracked.change(suspend=True)
        untracked.wait("the job is suspended", lambda status: status["phase"] == "Suspended")
        # From here on nothing of this uses the late node, which another test switches off.
        for job in (patient, late):
            job.wait("the job ends", lambda status: status.get("phase") in ("Succeeded", "Failed"), 600)
        return Delays(installation, workspace, patient, late, untracked, waiting, silent, history.objects())


def _a_job(name: str, steps: int, compute: Object, **spec: Any) -> Object:
    """Return a job with this many steps and a short stall timeout."""
    return short_job(name, steps, restart={"stallTimeoutSeconds": _STALL_SECONDS}, compute=compute, **spec)


def _before_and_after(job: Job) -> list[Object]:
    before = job.status
    time.sleep(_LONGER_SECONDS)
    return [before, job.status]
