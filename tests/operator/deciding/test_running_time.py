"""Which time counts as GPU time and against the deadline."""

from builders import a_child, a_job, later
from plans import names, planned, stage, then


def test_waiting_for_a_node_is_no_stall_no_gpu_time_and_not_counted_against_the_deadline() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100}, activeDeadlineSeconds=120, compute={"nodes": 1, "gpusPerNode": 8})
    waiting = planned(job, [a_child(job, "sft", "Pending", reason="Unschedulable", start_time=None)], 5000)
    assert (waiting.status.phase, waiting.requeue_after_seconds) == ("Pending", None)
    started = planned(then(job, waiting), [a_child(job, "sft", "Running", start_time=later(5000))], 5050)
    assert (names(started), started.status.reason, started.requeue_after_seconds) == (["job-sft-1"], "Training", 50)
    failed = a_child(job, "sft", "Failed", exit_code=137, start_time=later(5000), end_time=later(5060))
    ended = planned(then(job, started), [failed], 5061)
    assert (ended.status.gpu_seconds, stage(ended, "sft").active_seconds) == (480, 60)
    again = a_child(job, "sft", "Running", attempt=2, start_time=later(6000))
    assert planned(then(job, ended), [again], 6050).requeue_after_seconds == 10
    assert planned(then(job, ended), [again], 6060).status.reason == "DeadlineExceeded"


def test_a_deadline_ends_the_job_and_the_plan_waits_until_then() -> None:
    job = a_job(activeDeadlineSeconds=100)
    running = planned(job, [a_child(job, "sft", "Running")], 10)
    assert planned(then(job, running), [a_child(job, "sft", "Running")], 60).requeue_after_seconds == 40
    over = planned(then(job, running), [a_child(job, "sft", "Running")], 100)
    assert (names(over), over.status.phase, over.status.reason) == ([], "Failed", "DeadlineExceeded")
    assert planned(then(job, over), [], 200).status.phase == "Failed"


def test_suspended_time_does_not_count_and_a_stopped_attempt_counts_once() -> None:
    job = a_job(compute={"nodes": 1, "gpusPerNode": 2}, activeDeadlineSeconds=100)
    running = planned(job, [a_child(job, "sft", "Running")])
    held = then(a_job(compute={"nodes": 1, "gpusPerNode": 2}, activeDeadlineSeconds=100, suspend=True, generation=2), running)
    stopping = planned(held, [a_child(job, "sft", "Running")], 30)
    assert stopping.status.gpu_seconds == 60
    still = planned(then(held, stopping), [a_child(job, "sft", "Stopping")], 40)
    assert still.status.gpu_seconds == 60
    suspended = planned(then(held, still), [], 10_000)
    assert (suspended.status.phase, suspended.status.gpu_seconds) == ("Suspended", 60)
    seen_late = planned(then(held, running), [a_child(job, "sft", "Stopping")], 50)
    assert seen_late.status.gpu_seconds == 100, "the operator died between the deletion and the status"


def test_the_time_of_an_attempt_counts_once_towards_the_deadline() -> None:
    job = a_job(activeDeadlineSeconds=100)
    running = planned(job, [a_child(job, "sft", "Running")], 10)
    changed = then(a_job(activeDeadlineSeconds=100, generation=2, compute={"nodes": 1, "gpusPerNode": 0}), running)
    replaced = planned(changed, [a_child(job, "sft", "Running")], 60)
    assert (stage(replaced, "sft").reason, stage(replaced, "sft").active_seconds) == ("SpecChanged", 60)
    still_there = planned(then(changed, replaced), [a_child(job, "sft", "Running")], 90)
    assert still_there.status.reason == "SpecChanged", "60 s and not 150"


def test_a_job_that_has_ended_is_not_over_its_deadline() -> None:
    job = a_job(activeDeadlineSeconds=100)
    ended = planned(job, [a_child(job, name, "Succeeded", end_time=later(90)) for name in ("sft", "dpo")], 100)
    assert planned(then(job, ended), [], 1000).status.phase == "Succeeded"


def test_gpu_time_is_added_up_over_attempts() -> None:
    job = a_job(compute={"nodes": 2, "gpusPerNode": 4})
    first = planned(job, [a_child(job, "sft", "Failed", exit_code=137, end_time=later(10))], 20)
    assert first.status.gpu_seconds == 80
    second = planned(then(job, first), [a_child(job, "sft", "Succeeded", attempt=2, end_time=later(5))], 30)
    assert (second.status.gpu_seconds, second.status.gpus) == (120, 8)
