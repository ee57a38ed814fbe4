"""Upgrades to this version and to other defaults change no job of the previous version; running and suspended jobs continue."""

import pytest
from cluster.progress import expect_every_step_once, first_step
from cluster.upgrades import Upgraded, uids


@pytest.mark.parametrize("upgrade", [0, 1], ids=["to-this-version", "to-other-defaults"])
def test_an_upgrade_changes_no_job(upgrade: int, upgraded: Upgraded) -> None:
    assert upgraded.after.result()[upgrade] == upgraded.before


def test_the_suspended_job_resumes_from_its_checkpoint(upgraded: Upgraded) -> None:
    upgraded.suspended.wait_for_end()
    assert first_step(upgraded.suspended, attempt=2) == upgraded.stopped_at + 1
    expect_every_step_once(upgraded.suspended, upgraded.workspace)


def test_the_running_job_completes(upgraded: Upgraded) -> None:
    upgraded.running.wait_for_end()
    assert uids(upgraded.running.pods()) == upgraded.before["running"]["pods"]
    assert upgraded.running.stage("sft")["attempts"] == 1
    expect_every_step_once(upgraded.running, upgraded.workspace)


def test_no_stage_started_twice(upgraded: Upgraded) -> None:
    made = {name: len(known) for name, known in upgraded.children.uids().items()}
    expected = ("finished-sft-1", "finished-dpo-1", "running-sft-1", "suspended-sft-1", "suspended-sft-2")
    assert made == dict.fromkeys(expected, 1)
