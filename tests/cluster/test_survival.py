"""A job survives a deleted pod, and then a node without power: it continues from its newest checkpoint."""

from cluster.jobs import CHECKPOINT_EVERY_STEPS
from cluster.progress import expect_every_step_once
from cluster.survival import Survived


def test_it_succeeds_with_every_step_once(survived: Survived) -> None:
    job, attempts = survived.job, 1 + len(survived.resumptions)
    assert job.status["phase"] == "Succeeded", job.describe()
    stage = job.stage("sft")
    assert (stage["attempts"], stage["applicationFailures"]) == (attempts, 0), job.describe()
    expect_every_step_once(job, survived.workspace)


def test_no_child_was_created_twice(survived: Survived) -> None:
    expected = [f"survivor-sft-{attempt + 1}" for attempt in range(1 + len(survived.resumptions))]
    assert {name: len(uids) for name, uids in survived.children.items()} == dict.fromkeys(expected, 1)


def test_each_attempt_begins_after_the_newest_checkpoint_of_the_one_before(survived: Survived) -> None:
    for resumption in survived.resumptions:
        assert resumption.before - CHECKPOINT_EVERY_STEPS < resumption.first <= resumption.before + 1
