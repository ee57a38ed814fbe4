"""What should be, told as situations: the job, what is observed, and what follows."""

from typing import Any

import pytest
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Progress, StageStatus
from alignment_operator.deciding.observation import Child, Pulse, Report
from alignment_operator.deciding.own_children import expected_children
from alignment_operator.deciding.plan import Plan, plan
from builders import NOW, PLAN_SETTINGS, a_child, a_job, a_training, later


def planned(
    job: AlignmentJob,
    children: list[Child],
    seconds: float = 0,
    progress: dict[str, Progress] | None = None,
    silence: str | None = None,
    pulses: dict[str, Pulse] | None = None,
    is_asked: bool = True,
) -> Plan:
    asked = dict.fromkeys(("sft", "dpo"), NOW) if is_asked else {}
    report = Report(progress or {}, silence=silence, pulses=pulses or {}, asked_since=asked)
    return plan(job, settle(job), children, report, PLAN_SETTINGS, later(seconds))


def then(job: AlignmentJob, decided: Plan, **changes: Any) -> AlignmentJob:
    """The same job after its status has been written."""
    return job.model_copy(update={"status": decided.status, **changes})


def names(decided: Plan) -> list[str]:
    return [run.name for run in decided.children]


def stage(decided: Plan, name: str) -> StageStatus:
    return next(stage for stage in decided.status.stages or [] if stage.name == name)


def conditions(decided: Plan) -> dict[str, str]:
    return {condition.type: condition.status for condition in decided.status.conditions or []}


def progress(step: int, seconds: float = 0) -> Progress:
    return Progress(step=step, total_steps=100, percent=step, seconds_left=100 - step, updated_time=later(seconds))


def test_nothing_yet_starts_the_first_stage() -> None:
    decided = planned(a_job(), [])
    assert names(decided) == ["job-sft-1"]
    assert decided.status.phase == "Pending"
    assert (stage(decided, "sft").state, stage(decided, "dpo").state) == ("Pending", "Waiting")
    assert conditions(decided) == {"Suspended": "False", "Progressing": "True", "Complete": "False", "Failed": "False"}


def test_a_child_that_was_just_made_is_nothing_new() -> None:
    job = a_job()
    made = planned(job, [])
    seen = planned(then(job, made), [a_child(job, "sft", "Pending", reason="Starting", start_time=None)])
    assert seen.status == made.status


def test_a_running_stage_stays_and_shows_its_progress() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Running")], 60, {"sft": progress(40, 55)})
    assert names(decided) == ["job-sft-1"]
    assert (decided.status.phase, decided.status.current_stage) == ("Running", "sft")
    assert (decided.status.progress, decided.status.eta) == ("20%", "1m")
    assert decided.status.estimated_completion_time == later(115)


def test_a_finished_stage_is_followed_by_the_next() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Succeeded", end_time=later(50))], 60)
    assert names(decided) == ["job-sft-1", "job-dpo-1"]
    assert stage(decided, "sft").output == "workspace://team/job-abcdef12/sft/model"
    assert stage(decided, "dpo").state == "Pending"


def test_everything_finished_is_complete_and_stays_so_when_the_children_are_gone() -> None:
    job = a_job()
    children = [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded", end_time=later(90))]
    decided = planned(job, children, 100)
    assert (decided.status.phase, decided.status.progress, decided.requeue_after_seconds) == ("Succeeded", "100%", None)
    assert conditions(decided)["Complete"] == "True"
    again = planned(then(job, decided), [], 200)
    assert names(again) == []
    assert again.status == decided.status


@pytest.mark.parametrize(
    ("exit_code", "reason", "counted"),
    [(1, "Failed", "application_failures"), (70, "Defect", "application_failures"), (137, "Killed", "infrastructure_failures")],
)
def test_a_failure_with_budget_is_counted_once_and_then_tried_again(exit_code: int, reason: str, counted: str) -> None:
    job = a_job()
    failed = a_child(job, "sft", "Failed", exit_code=exit_code, reason=reason, message="it broke", last_checkpoint=20)
    first = planned(job, [failed])
    assert names(first) == ["job-sft-1"], "the failed child stays until its failure is written down"
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
def test_what_would_only_fail_again_is_not_tried_again(exit_code: int, reason: str) -> None:
    job = a_job()
    decided = planned(
        job, [a_child(job, "sft", "Failed", exit_code=exit_code, reason=reason, message="rows.jsonl:3: is not JSON")]
    )
    assert (decided.status.phase, decided.status.reason) == ("Failed", reason)
    assert decided.status.message == "sft: rows.jsonl:3: is not JSON"


def test_infrastructure_never_uses_up_the_budget() -> None:
    job = a_job(restart={"applicationFailures": 0})
    for attempt in range(1, 30):
        decided = planned(job, [a_child(job, "sft", "Failed", attempt=attempt, exit_code=137, reason="Killed")])
        assert decided.status.phase == "Restarting"
        job = then(job, decided)


def test_a_lost_child_is_replaced() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    lost = planned(then(job, running), [], 5)
    assert names(lost) == ["job-sft-2"]
    assert stage(lost, "sft").application_failures == 0


def test_a_child_that_is_stopping_is_waited_for() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Stopping", message="waiting for job-sft-1-worker-0")])
    assert names(decided) == []
    assert (decided.status.phase, decided.status.message) == ("Restarting", "sft: waiting for job-sft-1-worker-0")


def test_suspended_stops_what_runs_and_resumed_goes_on() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    held = then(a_job(suspend=True), running)
    stopping = planned(held, [a_child(job, "sft", "Running")], 5)
    assert names(stopping) == []
    assert (stopping.status.phase, stopping.status.reason) == ("Running", "Suspending")
    stopping = planned(then(held, stopping), [a_child(job, "sft", "Stopping")], 8, {"sft": progress(7, 8)})
    suspended = planned(then(held, stopping), [], 10)
    assert (suspended.status.phase, stage(suspended, "sft").progress) == ("Suspended", progress(7, 8))
    assert conditions(suspended)["Suspended"] == "True"
    assert planned(then(held, suspended), [], 20).status == suspended.status
    resumed = planned(then(a_job(generation=2), suspended), [], 30)
    assert names(resumed) == ["job-sft-2"]


def test_suspended_from_the_start_creates_nothing() -> None:
    decided = planned(a_job(suspend=True), [])
    assert (names(decided), decided.status.phase) == ([], "Suspended")


def test_a_changed_stage_runs_again_and_what_was_before_it_stays() -> None:
    job = a_job()
    finished = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")])
    changed = a_job(generation=2, stages=[{"name": "sft", "sft": a_training()}, {"name": "dpo", "dpo": a_training(beta=0.9)}])
    clearing = planned(then(changed, finished), [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")], 100)
    assert names(clearing) == ["job-sft-1"]
    decided = planned(then(changed, clearing), [a_child(job, "sft", "Succeeded")], 101)
    assert names(decided) == ["job-sft-1", "job-dpo-2"]
    assert (stage(decided, "sft").state, stage(decided, "dpo").state) == ("Succeeded", "Pending")


def test_a_changed_first_stage_stops_the_second() -> None:
    job = a_job()
    children = [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Running")]
    running = planned(job, children)
    changed = a_job(generation=2, stages=[{"name": "sft", "sft": a_training(maxLength=32)}, {"name": "dpo", "dpo": a_training()}])
    clearing = planned(then(changed, running), children, 10)
    assert names(clearing) == []
    decided = planned(then(changed, clearing), [], 11)
    assert names(decided) == ["job-sft-2"]
    assert stage(decided, "dpo").state == "Waiting"


def test_changed_compute_replaces_the_running_child_without_counting() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    moved = then(a_job(generation=2, compute={"nodes": 1, "gpusPerNode": 0}), running)
    stopping = planned(moved, [a_child(job, "sft", "Running")], 5)
    assert (names(stopping), stage(stopping, "sft").reason) == ([], "SpecChanged")
    following = planned(then(moved, stopping), [], 10)
    assert names(following) == ["job-sft-2"]
    assert stage(following, "sft").application_failures == 0


def test_a_failed_job_is_tried_again_when_its_spec_is_mended() -> None:
    job = a_job(restart={"applicationFailures": 0})
    failed = a_child(job, "sft", "Failed", exit_code=1)
    dead = planned(job, [failed])
    assert dead.status.phase == "Failed"
    mended = then(a_job(generation=2, restart={"applicationFailures": 0}, compute={"nodes": 1, "gpusPerNode": 0}), dead)
    clearing = planned(mended, [failed], 10)
    assert names(clearing) == []
    decided = planned(then(mended, clearing), [], 11)
    assert names(decided) == ["job-sft-2"]
    assert stage(decided, "sft").application_failures == 0


def pulse(heard: float, alive: float | None = None, **others: Any) -> dict[str, Pulse]:
    """What the pod of the first attempt answered last."""
    return {"sft": Pulse(1, later(heard), later(alive if alive is not None else heard), **others)}


def test_a_stall_is_a_failure() -> None:
    job = a_job(restart={"applicationFailures": 1, "stallTimeoutSeconds": 100})
    child = a_child(job, "sft", "Running")
    fine = planned(job, [child], 140, {"sft": progress(5, 60)}, pulses=pulse(135, has_stepped=True))
    assert (names(fine), fine.requeue_after_seconds) == (["job-sft-1"], 20)
    stalled = planned(then(job, fine), [child], 160, {"sft": progress(5, 60)}, pulses=pulse(155, has_stepped=True))
    assert names(stalled) == []
    assert (stalled.status.phase, stalled.status.reason) == ("Restarting", "Stalled")
    following = planned(then(job, stalled), [], 170)
    assert names(following) == ["job-sft-2"]


STALLS: list[tuple[str, float, dict[str, Progress] | None, str | None, dict[str, Pulse] | None, str | None]] = [
    # what is known of an attempt that runs since 0 with a timeout of 100 s, at a moment; the reason that follows
    ("just started, nothing heard", 90, None, None, None, None),
    ("no step yet, and its processes work", 1000, None, None, pulse(995), None),
    ("no step yet, and its processes do nothing", 1000, None, None, pulse(995, alive=890), "Stalled"),
    ("no step since it began anew, and its processes work", 1000, {"sft": progress(40, -500)}, None, pulse(995), None),
    ("steps, as its pod tells", 1000, {"sft": progress(5, 950)}, None, pulse(995, has_stepped=True), None),
    ("no more steps, though its processes spin", 1000, {"sft": progress(5, 890)}, None, pulse(995, has_stepped=True), "Stalled"),
    ("steps, as its pod tells while MLflow is away", 1000, {"sft": progress(5, 950)}, "away", pulse(995, has_stepped=True), None),
    ("the pod is not heard, MLflow tells of steps", 1000, {"sft": progress(5, 950)}, None, None, None),
    ("the pod is not heard, and MLflow tells of none", 350, {"sft": progress(5, 50)}, None, None, "ProgressUnknown"),
    ("the pod is not heard, and MLflow is away", 50, None, "away", None, "ProgressUnknown"),
    ("the pod is no longer heard, and MLflow is away", 300, None, "away", pulse(30), "ProgressUnknown"),
    ("both are silent for four times as long", 401, None, "away", None, "Stalled"),
    ("the pulse is an earlier attempt's", 350, None, None, {"sft": Pulse(7, later(349), later(349))}, "ProgressUnknown"),
]


@pytest.mark.parametrize(
    ("seconds", "known", "silence", "pulses", "reason"), [row[1:] for row in STALLS], ids=[row[0] for row in STALLS]
)
def test_when_an_attempt_stalls(
    seconds: float,
    known: dict[str, Progress] | None,
    silence: str | None,
    pulses: dict[str, Pulse] | None,
    reason: str | None,
) -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    decided = planned(job, [a_child(job, "sft", "Running")], seconds, known, silence, pulses)
    assert stage(decided, "sft").reason == reason
    assert names(decided) == ([] if reason == "Stalled" else ["job-sft-1"])


def test_waiting_for_a_node_is_neither_a_stall_nor_paid_nor_held_against_the_deadline() -> None:
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


def test_what_a_stage_does_before_its_first_step_is_shown() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Running")], 60, pulses=pulse(58, doing="loading weights: 3 of 15 GB"))
    assert (decided.status.reason, decided.status.message) == ("Preparing", "sft: loading weights: 3 of 15 GB")


def test_changed_settings_replace_a_child_only_before_it_runs() -> None:
    job = a_job()
    assert names(planned(job, [a_child(job, "sft", "Pending", rendering="older")])) == []
    assert names(planned(job, [a_child(job, "sft", "Running", rendering="older")])) == ["job-sft-1"]


def test_a_deadline_ends_the_job_and_is_waited_for() -> None:
    job = a_job(activeDeadlineSeconds=100)
    running = planned(job, [a_child(job, "sft", "Running")], 10)
    assert planned(then(job, running), [a_child(job, "sft", "Running")], 60).requeue_after_seconds == 40
    over = planned(then(job, running), [a_child(job, "sft", "Running")], 100)
    assert (names(over), over.status.phase, over.status.reason) == ([], "Failed", "DeadlineExceeded")
    assert planned(then(job, over), [], 200).status.phase == "Failed"


def test_a_finished_job_expires() -> None:
    job = a_job(ttlSecondsAfterFinished=60)
    finished = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")], 10)
    assert (finished.job_has_expired, finished.requeue_after_seconds) == (False, 60)
    assert planned(then(job, finished), [], 69).job_has_expired is False
    assert planned(then(job, finished), [], 70).job_has_expired is True


def test_a_job_that_expires_at_once_is_still_seen_to_have_finished() -> None:
    job = a_job(ttlSecondsAfterFinished=0)
    finished = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")], 10)
    assert (finished.status.phase, finished.job_has_expired) == ("Succeeded", False)
    assert planned(then(job, finished), [], 10).job_has_expired is True


def test_a_stage_that_is_taken_out_and_put_back_runs_anew() -> None:
    job, shorter = a_job(), a_job(generation=2, stages=[{"name": "sft", "sft": a_training()}])
    both = [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")]
    finished = planned(job, both)
    without = planned(then(shorter, finished), both, 10)
    assert names(without) == ["job-sft-1"]
    again = planned(then(a_job(generation=3), without), both[:1], 20)
    assert names(again) == ["job-sft-1", "job-dpo-1"]


def test_time_suspended_counts_nothing_and_an_attempt_that_is_stopped_counts_once() -> None:
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


BUDGETS: list[tuple[str, dict[str, Any], int]] = [
    # how the fourth attempt ended that began at step 30 with two failures counted; the failures that are counted then
    ("soon, and without a checkpoint", {"end_time": later(50), "last_checkpoint": 30}, 3),
    ("soon after a checkpoint", {"end_time": later(50), "last_checkpoint": 40}, 3),
    ("late, and without a checkpoint", {"end_time": later(5000), "last_checkpoint": 30}, 3),
    ("late, after a checkpoint", {"end_time": later(5000), "last_checkpoint": 40}, 1),
    ("late, without a word", {"end_time": later(5000), "last_checkpoint": None}, 3),
]


@pytest.mark.parametrize(("end", "failures"), [row[1:] for row in BUDGETS], ids=[row[0] for row in BUDGETS])
def test_budgets_begin_anew_after_lasting_progress(end: dict[str, Any], failures: int) -> None:
    job = a_job(restart={"applicationFailures": 3, "stallTimeoutSeconds": 100})
    known = {"state": "Running", "attempts": 4, "application_failures": 2, "last_checkpoint": 30, "failed_attempt": 3}
    begun = planned(job, []).status
    stages = [begun.stages[0].model_copy(update=known), begun.stages[1]] if begun.stages else []
    job = job.model_copy(update={"status": begun.model_copy(update={"stages": stages})})
    decided = planned(job, [a_child(job, "sft", "Failed", attempt=4, exit_code=1, **end)], 5001)
    assert stage(decided, "sft").application_failures == failures
    assert decided.requeue_after_seconds == {1: 10, 3: 40}[failures]


def test_a_checkpoint_that_only_the_heartbeat_told_of_counts() -> None:
    job = a_job(restart={"applicationFailures": 0, "stallTimeoutSeconds": 100})
    killed = a_child(job, "sft", "Failed", exit_code=137, reason="Killed", end_time=later(500))
    decided = planned(job, [killed], 501, pulses=pulse(490, last_checkpoint=40))
    assert stage(decided, "sft").last_checkpoint == 40
    assert "retrying from step 40" in (decided.status.message or "")


EXPECTED: list[tuple[str, list[dict[str, Any]], list[int]]] = [
    # what is found beside a status in which attempt 2 is the newest, its uid "mine"; the attempts that count
    ("the newest", [{"attempt": 2, "uid": "mine"}], [2]),
    ("another object under its name", [{"attempt": 2, "uid": "forged"}], []),
    ("the next one, once nothing is left", [{"attempt": 3, "uid": "new"}], [3]),
    ("the next one, while the newest is there", [{"attempt": 2, "uid": "mine"}, {"attempt": 3, "uid": "forged"}], [2]),
    ("one far ahead", [{"attempt": 2, "uid": "mine"}, {"attempt": 999, "uid": "forged"}], [2]),
    ("pods that an earlier one left", [{"attempt": 1, "uid": ""}, {"attempt": 2, "uid": "mine"}], [1, 2]),
    ("pods that nobody left", [{"attempt": 3, "uid": ""}], []),
]


@pytest.mark.parametrize(("found", "counted"), [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED])
def test_which_children_the_operator_can_have_made(found: list[dict[str, Any]], counted: list[int]) -> None:
    job = a_job()
    begun = planned(job, []).status
    known = {"state": "Running", "attempts": 2, "child_uid": "mine"}
    stages = [stage.model_copy(update=known) if stage.name == "sft" else stage for stage in begun.stages or []]
    running = job.model_copy(update={"status": begun.model_copy(update={"stages": stages})})
    children = [a_child(job, "sft", "Running", **others) for others in found]
    assert [child.attempt for child in expected_children(running, children)] == counted


def test_of_a_job_whose_status_was_lost_the_children_tell_the_newest_attempt() -> None:
    job = a_job()
    children = [a_child(job, "sft", "Running", attempt=attempt) for attempt in (5, 100_000)]
    assert expected_children(job, children) == children[:1]


def test_pods_that_an_earlier_attempt_left_do_not_stop_the_one_that_runs() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    left = a_child(job, "sft", "Stopping", uid="", start_time=None)
    decided = planned(then(job, running), [a_child(job, "sft", "Running"), left], 5)
    assert (names(decided), stage(decided, "sft").state) == (["job-sft-1"], "Running")


def test_an_operator_that_was_away_counts_no_silence_before_it_asked() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    child = a_child(job, "sft", "Running")
    before = planned(job, [child], 5000, {"sft": progress(50, 4990)}, pulses=pulse(4995, has_stepped=True))
    started = planned(then(job, before), [child], 20_000, is_asked=False)
    assert (names(started), started.status.reason) == (["job-sft-1"], "Training")
    answered = planned(then(job, before), [child], 20_015, {"sft": progress(80, 20_010)}, pulses=pulse(20_014, has_stepped=True))
    assert (names(answered), answered.status.reason) == (["job-sft-1"], "Training")


def test_where_questions_are_rare_a_pod_counts_as_heard_for_three_of_them() -> None:
    rare = PLAN_SETTINGS.model_copy(update={"progress_interval_seconds": 60})
    job = a_job(restart={"stallTimeoutSeconds": 100})
    soon = Report({"sft": progress(5, 950)}, silence="away", pulses=pulse(830, has_stepped=True), asked_since={"sft": NOW})
    reasons = [
        stage(plan(job, settle(job), [a_child(job, "sft", "Running")], soon, settings, later(1000)), "sft").reason
        for settings in (rare, PLAN_SETTINGS)
    ]
    assert reasons == [None, "ProgressUnknown"]


def test_what_another_attempt_said_is_neither_what_this_one_does_nor_its_checkpoint() -> None:
    job = a_job()
    other = {"sft": Pulse(7, later(55), later(55), doing="merging", last_checkpoint=90)}
    running = planned(job, [a_child(job, "sft", "Running")], 60, pulses=other)
    assert (running.status.reason, running.status.message) == ("Training", "sft is running")
    failed = planned(then(job, running), [a_child(job, "sft", "Failed", exit_code=137)], 61, pulses=other)
    assert stage(failed, "sft").last_checkpoint is None


def test_the_progress_of_an_attempt_that_failed_stays() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Failed", exit_code=137)], 61, {"sft": progress(40, 55)})
    assert stage(decided, "sft").progress == progress(40, 55)


def test_an_activity_that_advances_before_the_first_step_is_progress() -> None:
    job = a_job(restart={"stallTimeoutSeconds": 100})
    downloading = pulse(995, alive=500, advanced_time=later(990), doing="downloading: 5 of 10 GB")
    assert names(planned(job, [a_child(job, "sft", "Running")], 1000, pulses=downloading)) == ["job-sft-1"]


def test_a_stage_that_runs_anew_does_not_show_how_far_its_last_attempt_was() -> None:
    job = a_job()
    ended = planned(job, [a_child(job, "sft", "Succeeded")], 100, {"sft": progress(100, 90)}, pulses=pulse(90))
    changed = a_job(generation=2, stages=[{"name": "sft", "sft": a_training(maxLength=32)}, {"name": "dpo", "dpo": a_training()}])
    again = planned(then(changed, ended), [], 110, {"sft": progress(100, 90)}, pulses=pulse(90))
    pending = planned(then(changed, again), [], 120, {"sft": progress(100, 90)}, pulses=pulse(90))
    assert (stage(again, "sft").attempts, stage(pending, "sft").progress) == (2, None)


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


SITUATIONS: list[tuple[str, list[tuple[str, str, dict[str, Any]]]]] = [
    ("nothing", []),
    ("running", [("sft", "Running", {})]),
    ("failed", [("sft", "Failed", {"exit_code": 1})]),
    ("failed for good", [("sft", "Failed", {"exit_code": 65})]),
    ("second running", [("sft", "Succeeded", {}), ("dpo", "Running", {})]),
    ("finished", [("sft", "Succeeded", {}), ("dpo", "Succeeded", {})]),
]


@pytest.mark.parametrize("children", [row[1] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_planning_twice_at_the_same_moment_changes_nothing(children: list[tuple[str, str, dict[str, Any]]]) -> None:
    job = a_job()
    observed = [a_child(job, name, state, **others) for name, state, others in children]
    first = planned(job, observed)
    created = [
        a_child(job, run.stage.name, "Running", attempt=run.attempt)
        for run in first.children
        if run.name not in [child.name for child in observed]
    ]
    second = planned(then(job, first), observed + created)
    third = planned(then(job, second), observed + created)
    assert third.status == second.status
    assert names(third) == names(second)


def test_the_status_speaks_of_the_generation_it_has_seen() -> None:
    assert planned(a_job(generation=7), []).status.observed_generation == 7
    assert planned(a_job(), []).status.start_time is None
    assert planned(a_job(), [a_child(a_job(), "sft", "Running")]).status.start_time == NOW
