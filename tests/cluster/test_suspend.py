"""A job is suspended while it trains, and resumes at the same step."""

from cluster.progress import expect_every_step_once, first_step
from cluster.strangers import Victim

_GRACE_SECONDS = 60


def test_pods_are_gone_within_the_grace_period_with_a_checkpoint(victim: Victim) -> None:
    assert victim.seconds_until_gone < _GRACE_SECONDS
    assert (victim.suspended["phase"], victim.suspended["message"]) == (
        "Suspended",
        "sft: suspended; it will resume from its last checkpoint",
    )
    assert victim.children == []
    assert victim.stopped_at < 40
    assert victim.checkpoints[-1] == victim.stopped_at


def test_it_resumes_at_that_step(victim: Victim) -> None:
    assert first_step(victim.job, attempt=2) == victim.stopped_at + 1
    expect_every_step_once(victim.job, victim.workspace)
    stage = victim.job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"], stage["infrastructureFailures"]) == (2, 0, 0)
