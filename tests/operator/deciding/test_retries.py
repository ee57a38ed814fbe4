"""Which failures are retried, after which delay, and how they are counted."""

from typing import Any

import pytest
from alignment_operator.deciding.observation import Pulse
from builders import a_child, a_job, later
from plans import conditions, names, planned, progress, pulse, stage, then


@pytest.mark.parametrize(
    ("exit_code", "reason", "counted"),
    [(1, "Failed", "application_failures"), (70, "Defect", "application_failures"), (137, "Killed", "infrastructure_failures")],
)
def test_a_failure_within_the_budget_is_counted_once_and_then_retried(exit_code: int, reason: str, counted: str) -> None:
    job = a_job()
    failed = a_child(job, "sft", "Failed", exit_code=exit_code, reason=reason, message="it broke", last_checkpoint=20)
    first = planned(job, [failed])
    assert names(first) == ["job-sft-1"], "the failed child stays until its failure is recorded"
    assert getattr(stage(first, "sft"), counted) == 1
    assert (first.status.phase, first.requeue_after_seconds) == ("Restarting", 10)
    assert "it broke; retrying from step 20 in 10 s" in (first.status.message or "")

    waiting = planned(then(job, first), [failed], 4)
    assert (names(waiting), waiting.requeue_after_seconds) == (["job-sft-1"], 6)
    assert getattr(stage(waiting, "sft"), counted) == 1

    clearing = planned(then(job, waiting), [failed], 10)
    assert (names(clearing), stage(clearing, "sft").attempts) == ([], 1), "two attempts would write to one folder"
    retried = planned(then(job, clearing), [], 11)
    assert names(retried) == ["job-sft-2"]
    assert stage(retried, "sft").attempts == 2


def test_delays_double_up_to_the_longest() -> None:
    job, delays = a_job(restart={"applicationFailures": 9}), []
    for attempt in range(1, 6):
        failed = a_child(job, "sft", "Failed", attempt=attempt, exit_code=1)
        decided = planned(job, [failed])
        delays.append(decided.requeue_after_seconds)
        job = then(job, decided)
    assert delays == [10, 20, 40, 60, 60]


def test_a_failure_without_budget_ends_the_job() -> None:
    job = a_job(restart={"applicationFailures": 0})
    decided = planned(job, [a_child(job, "sft", "Failed", exit_code=70, reason="Defect", message="it broke")])
    assert (decided.status.phase, decided.status.reason, decided.requeue_after_seconds) == ("Failed", "Defect", None)
    assert conditions(decided)["Failed"] == "True"
    assert names(planned(then(job, decided), [], 1000)) == []


@pytest.mark.parametrize(("exit_code", "reason"), [(65, "BadData"), (78, "BadConfiguration"), (70, "Diverged")])
def test_permanent_failures_are_not_retried(exit_code: int, reason: str) -> None:
    job = a_job()
    decided = planned(
        job, [a_child(job, "sft", "Failed", exit_code=exit_code, reason=reason, message="rows.jsonl:3: is not JSON")]
    )
    assert (decided.status.phase, decided.status.reason) == ("Failed", reason)
    assert decided.status.message == "sft: rows.jsonl:3: is not JSON"


def test_infrastructure_failures_never_use_up_the_budget() -> None:
    job = a_job(restart={"applicationFailures": 0})
    for attempt in range(1, 30):
        decided = planned(job, [a_child(job, "sft", "Failed", attempt=attempt, exit_code=137, reason="Killed")])
        assert decided.status.phase == "Restarting"
        job = then(job, decided)


def test_a_full_disk_is_waited_for_with_growing_delays_and_the_sum_in_the_status() -> None:
    job, delays = a_job(restart={"applicationFailures": 0}), []
    sentence = (
        "the workspace volume (/workspace) has 1.2 GB free, and this stage still writes about 5.4 GB: 3 checkpoints of 1.8 GB"
    )
    for attempt in range(1, 6):
        full = a_child(job, "sft", "Failed", attempt=attempt, exit_code=69, reason="DiskFull", message=sentence)
        decided = planned(job, [full])
        assert (decided.status.phase, decided.status.reason) == ("Restarting", "DiskFull")
        assert f"sft: attempt {attempt} ended: {sentence}; retrying in" in (decided.status.message or "")
        delays.append(decided.requeue_after_seconds)
        job = then(job, decided)
        waiting = planned(job, [full], 5)
        assert (waiting.status.reason, waiting.status.message) == ("DiskFull", decided.status.message)
    assert delays == [10, 20, 40, 60, 60]
    assert (stage(decided, "sft").application_failures, stage(decided, "sft").infrastructure_failures) == (0, 5)


def test_the_deadline_ends_the_wait_for_room() -> None:
    job = a_job(activeDeadlineSeconds=100)
    full = a_child(
        job, "sft", "Failed", exit_code=69, reason="DiskFull", message="full", start_time=later(0), end_time=later(101)
    )
    waiting = planned(job, [full], 101)
    assert waiting.status.reason == "DiskFull"
    assert planned(then(job, waiting), [full], 102).status.reason == "DeadlineExceeded"


def test_a_lost_child_is_replaced() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    lost = planned(then(job, running), [], 5)
    assert names(lost) == ["job-sft-2"]
    assert stage(lost, "sft").application_failures == 0


def test_a_failed_job_is_retried_when_its_spec_is_corrected() -> None:
    job = a_job(restart={"applicationFailures": 0})
    failed = a_child(job, "sft", "Failed", exit_code=1)
    dead = planned(job, [failed])
    assert dead.status.phase == "Failed"
    corrected = then(a_job(generation=2, restart={"applicationFailures": 0}, compute={"nodes": 1, "gpusPerNode": 0}), dead)
    clearing = planned(corrected, [failed], 10)
    assert names(clearing) == []
    decided = planned(then(corrected, clearing), [], 11)
    assert names(decided) == ["job-sft-2"]
    assert stage(decided, "sft").application_failures == 0


BUDGETS: list[tuple[str, dict[str, Any], int]] = [
    # the end of the fourth attempt, which began at step 30 after two counted failures; the failures counted afterwards
    ("soon, and without a checkpoint", {"end_time": later(50), "last_checkpoint": 30}, 3),
    ("soon after a checkpoint", {"end_time": later(50), "last_checkpoint": 40}, 3),
    ("late, and without a checkpoint", {"end_time": later(5000), "last_checkpoint": 30}, 3),
    ("late, after a checkpoint", {"end_time": later(5000), "last_checkpoint": 40}, 1),
    ("late, and no checkpoint is known", {"end_time": later(5000), "last_checkpoint": None}, 3),
]


@pytest.mark.parametrize(("end", "failures"), [row[1:] for row in BUDGETS], ids=[row[0] for row in BUDGETS])
def test_budgets_are_reset_after_lasting_progress(end: dict[str, Any], failures: int) -> None:
    job = a_job(restart={"applicationFailures": 3, "stallTimeoutSeconds": 100})
    known = {"state": "Running", "attempts": 4, "application_failures": 2, "last_checkpoint": 30, "failed_attempt": 3}
    begun = planned(job, []).status
    stages = [begun.stages[0].model_copy(update=known), begun.stages[1]] if begun.stages else []
    job = job.model_copy(update={"status": begun.model_copy(update={"stages": stages})})
    decided = planned(job, [a_child(job, "sft", "Failed", attempt=4, exit_code=1, **end)], 5001)
    assert stage(decided, "sft").application_failures == failures
    assert decided.requeue_after_seconds == {1: 10, 3: 40}[failures]


def test_a_checkpoint_that_only_a_heartbeat_reported_counts() -> None:
    job = a_job(restart={"applicationFailures": 0, "stallTimeoutSeconds": 100})
    killed = a_child(job, "sft", "Failed", exit_code=137, reason="Killed", end_time=later(500))
    decided = planned(job, [killed], 501, pulses=pulse(490, last_checkpoint=40))
    assert stage(decided, "sft").last_checkpoint == 40
    assert "retrying from step 40" in (decided.status.message or "")


def test_the_progress_of_an_attempt_that_failed_stays() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Failed", exit_code=137)], 61, {"sft": progress(40, 55)})
    assert stage(decided, "sft").progress == progress(40, 55)


def test_the_pulse_of_another_attempt_is_ignored() -> None:
    job = a_job()
    other = {"sft": Pulse(7, later(55), later(55), doing="merging", last_checkpoint=90)}
    running = planned(job, [a_child(job, "sft", "Running")], 60, pulses=other)
    assert (running.status.reason, running.status.message) == ("Training", "sft is running")
    failed = planned(then(job, running), [a_child(job, "sft", "Failed", exit_code=137)], 61, pulses=other)
    assert stage(failed, "sft").last_checkpoint is None
