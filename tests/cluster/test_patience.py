"""Delays are not failures: a late node, a late peer, and MLflow that is down or refuses writes."""

import pytest
from cluster import tracking
from cluster.delays import Delays
from cluster.progress import expect_every_step_once, steps


def test_a_late_node_uses_no_budget(delayed: Delays) -> None:
    assert delayed.waiting["patient"]["reason"] == "Unschedulable"
    delayed.patient.wait_for_end()
    stage = delayed.patient.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (1, 0, 0), delayed.phases(
        delayed.patient
    )


def test_a_late_peer_uses_no_budget(delayed: Delays) -> None:
    waiting = delayed.waiting["late"]
    assert waiting["reason"] == "Unschedulable"
    assert "waiting for 1 of 2 nodes: 0/2 nodes are available" in waiting["message"]
    assert "Insufficient alignment-suite.dev/port" in waiting["message"]
    delayed.late.wait_for_end()
    stage = delayed.late.stage("sft")
    phases = delayed.phases(delayed.late)
    # The scheduler may see the new device before the kubelet does, which then refuses a pod: a failure, but not of waiting.
    refused = sum(reason.startswith("OutOf") for _, reason in phases)
    counts = stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]
    assert counts == (1 + refused, 0, refused), phases
    expect_every_step_once(delayed.late, delayed.workspace)


@pytest.mark.parametrize("mlflow", ["is down", "refuses writes"])
def test_progress_is_known_without_mlflow(mlflow: str, delayed: Delays) -> None:
    before, after = (status["stages"][0] for status in delayed.silent[mlflow])
    assert after["state"] == "Running", after
    assert after["attempts"] == 1
    assert after["progress"]["step"] > before.get("progress", {}).get("step", 0)
    assert after.get("reason") not in ("Stalled", "ProgressUnknown")


def test_training_never_counts_as_stalled_and_no_metric_is_lost(delayed: Delays) -> None:
    job = delayed.untracked
    assert job.status["phase"] == "Suspended"
    assert {reason for _, reason in delayed.phases(job)}.isdisjoint({"Stalled", "ProgressUnknown"})
    assert job.stage("sft")["attempts"] == 1
    done = steps(job, delayed.workspace)
    assert done == list(range(1, len(done) + 1))
    with tracking.client(delayed.installation) as mlflow:
        tracking.await_steps(job, mlflow, done)
