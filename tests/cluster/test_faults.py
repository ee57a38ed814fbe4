"""A training process and the operator are killed, and each job still completes."""

from cluster.kills import Kills
from cluster.progress import expect_every_step_once


def test_the_operator_is_killed_again_and_again(killed: Kills) -> None:
    job = killed.operator_killed
    assert [stage["attempts"] for stage in job.status["stages"]] == [1, 1]
    assert {name: len(uids) for name, uids in killed.children.items()} == {"killed-sft-1": 1, "killed-dpo-1": 1}
    events = job.events()
    assert sorted(events) == sorted(set(events))


def test_a_process_is_killed_but_its_pod_survives(killed: Kills) -> None:
    job = killed.process_killed
    stage = job.stage("sft")
    # The pod was not removed, so the host probably ran out of memory; unlimited retries would not help.
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 1, 0), job.describe()
    [warning] = [message for reason, message in job.events() if reason == "ProcessKilled"]
    assert "memory" in warning
    expect_every_step_once(job, killed.workspace)
