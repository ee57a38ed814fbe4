"""Jobs that the previous version started, before and after upgrades to this version and to other defaults."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from alignment_api.names import JOB_LABEL
from builders import a_document
from cluster.installation import Installation
from cluster.jobs import FAST, SLOW, TINY, Job, StartJob, short_job, start_job, two_steps_of_dpo
from cluster.kubectl import Object
from cluster.progress import reached, train_until
from cluster.versions import Versions
from cluster.watch import Watch
from cluster.workspace import Workspace

_KEPT = (
    *("name", "state", "attempts", "failedAttempt", "applicationFailures", "infrastructureFailures"),
    *("child", "inputHash", "startTime", "completionTime", "gpuSeconds", "output"),
)


@dataclass(frozen=True)
class Upgraded:
    """Three jobs that the previous version started; they go on while the block runs."""

    running: Job
    finished: Job
    suspended: Job
    workspace: Workspace
    stopped_at: int
    """The step at which the suspended job stopped."""
    before: dict[str, Any]
    """The state of each job under the previous version."""
    after: Future[list[dict[str, Any]]]
    """Their state under this version, and under this version with another default; then the suspended job resumes."""
    children: Watch


@contextmanager
def upgrades(
    release: Installation, workspace: Workspace, versions: Versions, node_selector: dict[str, str]
) -> Iterator[Upgraded]:
    """Install the previous version, start the jobs, and upgrade; what follows the first upgrade runs beside the block."""
    tags = {name: {"image": {"tag": versions.before}} for name in ("operator", "trainer")}
    start = partial(start_job, workspace.kubectl, release)
    with Watch(workspace.kubectl, "pytorchjobs", JOB_LABEL) as children, ThreadPoolExecutor(1) as beside:
        replace(release, chart=versions.chart_before).apply(tags)
        jobs, stopped_at = _bring_into_state(start, workspace, node_selector)
        before = _all_of(jobs)
        release.apply()
        after = beside.submit(_upgrade_again, release, start, jobs, versions.other_defaults)
        running, finished, suspended = jobs
        yield Upgraded(running, finished, suspended, workspace, stopped_at, before, after, children)


def _upgrade_again(release: Installation, start: StartJob, jobs: list[Job], other_defaults: str) -> list[dict[str, Any]]:
    """Return the state of the jobs after this upgrade and after one to other defaults; then let the jobs continue."""
    _meet(start, "first")
    seen = [_all_of(jobs)]
    release.apply({"operator": {"image": {"tag": other_defaults}}})
    _meet(start, "second")
    seen.append(_all_of(jobs))
    running, _, suspended = jobs
    running.limit_cpu(FAST)
    suspended.change(suspend=False)
    return seen


def _a_job(name: str, steps: int, node_selector: dict[str, str], *others: Object) -> Object:
    """Return a job with one pod, so small that all jobs fit on a node with two CPUs."""
    compute = {**TINY["spec"]["compute"], "nodes": 1, "cpu": "100m", "nodeSelector": node_selector}
    document = short_job(name, steps, compute=compute)
    document["spec"]["stages"] += others
    return document


def _bring_into_state(start: StartJob, workspace: Workspace, node_selector: dict[str, str]) -> tuple[list[Job], int]:
    """Start all three jobs, wait until each has the state in its name, and return the step at which the suspended one stopped."""
    running = start(_a_job("running", 40, node_selector))
    finished = start(_a_job("finished", 2, node_selector, two_steps_of_dpo()))
    suspended = start(_a_job("suspended", 40, node_selector))
    train_until(3, running, workspace)
    # So slow that it runs during both upgrades, on any machine.
    running.limit_cpu(SLOW)
    train_until(7, suspended, workspace)
    suspended.change(suspend=True)
    suspended.wait("the job is suspended", lambda status: status["phase"] == "Suspended")
    finished.wait_for_end()
    return [running, finished, suspended], reached(suspended, workspace)


def _meet(start: StartJob, name: str) -> None:
    """Create a new job and wait until the operator has seen it; by then it has also seen all earlier jobs."""
    start(a_document(name, suspend=True)).wait("the operator has seen it", lambda status: status.get("phase") == "Suspended")


def _all_of(jobs: list[Job]) -> dict[str, Any]:
    """Return what an upgrade must not change of each job: the state of its stages, its children and its pods."""
    return {
        job.name: {
            "phase": job.status["phase"],
            "stages": [{name: stage.get(name) for name in _KEPT} for stage in job.status["stages"]],
            "children": uids(job.children()),
            "pods": uids(job.pods()),
        }
        for job in jobs
    }


def uids(found: list[Object]) -> dict[str, str]:
    """Return the uid of each object by its name."""
    return {known["metadata"]["name"]: known["metadata"]["uid"] for known in found}
