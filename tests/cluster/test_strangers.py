"""Forged pods, PyTorchJobs and MLflow runs, in this and in another namespace, do not affect a job."""

import json

from cluster.progress import expect_every_step_once, first_step
from cluster.strangers import STALE_TOTAL, Victim
from cluster.watch import changes


def test_the_job_trains_to_its_end(victim: Victim) -> None:
    assert victim.job.status["phase"] == "Succeeded", victim.job.describe()
    stage = victim.job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 0, 0)
    assert first_step(victim.job, attempt=2) == victim.stopped_at + 1
    expect_every_step_once(victim.job, victim.workspace)
    assert "model.safetensors" in victim.workspace.names(stage["output"].removeprefix("workspace://"))


def test_its_status_and_events_never_mention_them(victim: Victim) -> None:
    assert {status["phase"] for status in victim.statuses if "phase" in status} <= {
        "Pending",
        "Running",
        "Restarting",
        "Suspended",
        "Succeeded",
    }
    assert max(stage["attempts"] for status in victim.statuses for stage in status.get("stages", [])) == 2
    assert "a forged message" not in json.dumps(victim.statuses)
    assert [event for event in victim.job.events() if "a forged message" in event[1]] == []


def test_the_newest_run_is_the_stages_run(victim: Victim) -> None:
    stages = [stage for status in victim.statuses for stage in status.get("stages", [])]
    runs = changes(stage["runId"] for stage in stages if "runId" in stage)
    totals = changes(stage["progress"]["totalSteps"] for stage in stages if "progress" in stage)
    # Until the stage has its own run, the forged earlier run is its newest.
    assert runs[-1] == victim.live_run
    assert len(runs) <= 2
    assert totals in ([40], [STALE_TOTAL, 40])
    assert "ProgressUnknown" not in [status.get("reason") for status in victim.statuses]


def test_forged_objects_are_left_alone(victim: Victim) -> None:
    assert [name for kubectl, kind, name in victim.strangers if kubectl.get(kind, name) is None] == []
