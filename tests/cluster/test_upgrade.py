"""Upgrades from the previous version and to other defaults do not change a finished, a running and a suspended job."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from alignment_api.names import JOB_LABEL
from builders import a_document
from cluster.installation import Installation, merged
from cluster.jobs import TINY, Job, delete, short_job, two_steps_of_dpo
from cluster.kubectl import Kubectl, Object
from cluster.names import OTHERS
from cluster.progress import expect_every_step_once, first_step, reached, train_until
from cluster.versions import Versions
from cluster.watch import Watch
from cluster.workspace import Workspace

_KEPT = (
    *("name", "state", "attempts", "failedAttempt", "applicationFailures", "infrastructureFailures"),
    *("child", "inputHash", "startTime", "completionTime", "gpuSeconds", "output"),
)


@dataclass(frozen=True)
class Upgraded:
    """Three jobs that the previous version started."""

    finished: Job
    suspended: Job
    running: Job
    stopped_at: int
    seen: list[dict[str, Any]]
    """The state of each job under the previous version, this version, and this version with another default."""
    children: Watch


@pytest.fixture(scope="module")
def upgraded(elsewhere: Workspace, operator_alone: Object, other_versions: Versions) -> Iterator[Upgraded]:
    chart, before, others = other_versions
    values = {**operator_alone, "watchNamespaces": [OTHERS]}
    release = Installation(Kubectl(OTHERS), "upgraded", values)
    jobs: list[Job] = []
    try:
        with Watch(elsewhere.kubectl, "pytorchjobs", JOB_LABEL) as children:
            replace(release, chart=chart).apply(
                merged(values, {name: {"image": {"tag": before}} for name in ("operator", "trainer")})
            )
            stopped_at = bring_into_state(jobs, elsewhere, release)
            seen = [all_of(jobs)]
            release.apply()
            jobs.append(meet(release, "first"))
            seen.append(all_of(jobs[:3]))
            release.apply({"operator": {"image": {"tag": others}}})
            jobs.append(meet(release, "second"))
            seen.append(all_of(jobs[:3]))
            yield Upgraded(*jobs[:3], stopped_at, seen, children)
    finally:
        delete(*jobs)
        release.remove()


def a_job(name: str, steps: int, *others: Object) -> Object:
    """Return a job with one pod, so small that all jobs fit on two nodes with two CPUs."""
    document = short_job(name, compute={**TINY["spec"]["compute"], "nodes": 1, "cpu": "100m"})
    stages = document["spec"]["stages"]
    stages[0]["sft"]["optimization"]["maxSteps"] = steps
    stages += others
    return document


def begin(document: Object, workspace: Workspace, release: Installation, jobs: list[Job]) -> Job:
    workspace.kubectl.apply(document)
    jobs.append(Job(workspace.kubectl, release, document["metadata"]["name"]))
    return jobs[-1]


def bring_into_state(jobs: list[Job], workspace: Workspace, release: Installation) -> int:
    """Start all three jobs, wait until each has the state in its name, and return the step at which the suspended one stopped."""
    finished = begin(a_job("finished", 2, two_steps_of_dpo()), workspace, release, jobs)
    suspended = begin(a_job("suspended", 40), workspace, release, jobs)
    train_until(7, suspended, workspace)
    suspended.change(suspend=True)
    suspended.wait("the job is suspended", lambda status: status["phase"] == "Suspended")
    finished.wait_for_end()
    # Started last, and long enough to run during both upgrades.
    train_until(3, begin(a_job("running", 200), workspace, release, jobs), workspace)
    return reached(suspended, workspace)


def meet(release: Installation, name: str) -> Job:
    """Create a new job and wait until the operator has seen it; by then it has also seen all earlier jobs."""
    release.kubectl.apply(a_document(name, suspend=True))
    job = Job(release.kubectl, release, name)
    job.wait("the operator has seen it", lambda status: status.get("phase") == "Suspended")
    return job


def all_of(jobs: list[Job]) -> dict[str, Any]:
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
    return {known["metadata"]["name"]: known["metadata"]["uid"] for known in found}


def test_before_the_upgrade_each_job_has_the_state_in_its_name(upgraded: Upgraded) -> None:
    phases = {name: what["phase"] for name, what in upgraded.seen[0].items()}
    assert phases == {"finished": "Succeeded", "running": "Running", "suspended": "Suspended"}


@pytest.mark.parametrize("upgrade", [1, 2], ids=["to-this-version", "to-other-defaults"])
def test_an_upgrade_changes_no_job(upgrade: int, upgraded: Upgraded) -> None:
    assert upgraded.seen[upgrade] == upgraded.seen[0]


def test_the_suspended_job_resumes_from_its_checkpoint(upgraded: Upgraded, elsewhere: Workspace) -> None:
    upgraded.suspended.change(suspend=False)
    upgraded.suspended.wait_for_end()
    assert first_step(upgraded.suspended, attempt=2) == upgraded.stopped_at + 1
    expect_every_step_once(upgraded.suspended, elsewhere)


def test_the_running_job_completes(upgraded: Upgraded, elsewhere: Workspace) -> None:
    upgraded.running.wait_for_end()
    assert uids(upgraded.running.pods()) == upgraded.seen[0]["running"]["pods"]
    assert upgraded.running.stage("sft")["attempts"] == 1
    expect_every_step_once(upgraded.running, elsewhere)


def test_no_stage_started_twice(upgraded: Upgraded) -> None:
    made = {name: len(known) for name, known in upgraded.children.uids().items()}
    expected = ("finished-sft-1", "finished-dpo-1", "running-sft-1", "suspended-sft-1", "suspended-sft-2")
    assert made == dict.fromkeys(expected, 1)
