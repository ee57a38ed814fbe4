"""The children that should exist and the status to write, for situations of a job."""

from typing import Any

import pytest
from alignment_api.spec.status import Progress
from builders import NOW, a_child, a_job, a_training, later
from plans import conditions, names, planned, progress, pulse, stage, then


def test_a_new_job_starts_its_first_stage() -> None:
    decided = planned(a_job(), [])
    assert names(decided) == ["job-sft-1"]
    assert decided.status.phase == "Pending"
    assert (stage(decided, "sft").state, stage(decided, "dpo").state) == ("Pending", "Waiting")
    assert conditions(decided) == {"Suspended": "False", "Progressing": "True", "Complete": "False", "Failed": "False"}


def test_a_child_that_was_just_created_changes_no_status() -> None:
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


def test_a_job_is_complete_after_its_last_stage_and_stays_so_without_children() -> None:
    job = a_job()
    children = [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded", end_time=later(90))]
    decided = planned(job, children, 100)
    assert (decided.status.phase, decided.status.progress, decided.requeue_after_seconds) == ("Succeeded", "100%", None)
    assert conditions(decided)["Complete"] == "True"
    again = planned(then(job, decided), [], 200)
    assert names(again) == []
    assert again.status == decided.status


def test_the_status_warns_of_the_spec_until_an_edit() -> None:
    questionable = [{"name": "sft", "sft": a_training(holdout={"examples": 5})}]
    job = a_job(stages=questionable)
    decided = planned(job, [])
    assert decided.status.warnings == [
        "spec.stages[0].sft.holdout: 5 rows are held out, so chance decides the held-out metrics; hold out at least 20"
    ]
    assert planned(then(job, decided), [a_child(job, "sft", "Pending", reason="Starting")]).status.warnings == (
        decided.status.warnings
    )
    edited = a_job(generation=2, status=decided.status, stages=[{"name": "sft", "sft": a_training(holdout={"examples": 50})}])
    assert planned(edited, []).status.warnings is None


RUNNING, DONE = {"state": "Running"}, {"state": "Succeeded"}
REPORTS: list[tuple[str, list[str] | None, dict[str, Any], dict[str, Any], list[str] | None]] = [
    ("nothing is known yet", None, RUNNING, {}, None),
    ("the pod reports", None, RUNNING, {"warnings": ("a",)}, ["a"]),
    ("the pod reports more", ["a"], RUNNING, {"warnings": ("a", "b")}, ["a", "b"]),
    ("the pod has moved the work of other inputs aside", ["a"], RUNNING, {"warnings": ()}, None),
    ("the pod is of a version that reports none", ["a"], RUNNING, {}, ["a"]),
    ("the attempt waits", ["a"], {"state": "Pending", "reason": "Starting"}, {}, ["a"]),
    ("the trainer's last words", ["a"], {**DONE, "warnings": ("a", "b")}, {"warnings": ("a",)}, ["a", "b"]),
    ("the trainer's last words have none", ["a"], DONE, {}, ["a"]),
]


@pytest.mark.parametrize(("before", "child", "heard", "after"), [row[1:] for row in REPORTS], ids=[row[0] for row in REPORTS])
def test_a_stage_keeps_what_its_training_shows(
    before: list[str] | None, child: dict[str, Any], heard: dict[str, Any], after: list[str] | None
) -> None:
    job = a_job()
    started = then(job, planned(job, []))
    assert started.status is not None
    stages = [known.model_copy(update={"warnings": before}) for known in started.status.stages or []]
    started = then(started, planned(job, []), status=started.status.model_copy(update={"stages": stages}))
    observed = [a_child(job, "sft", **child)]
    decided = planned(started, observed, 60, pulses=pulse(60, **heard) if heard else {})
    assert stage(decided, "sft").warnings == after
    again = planned(then(started, decided), observed, 60, pulses=pulse(60, **heard) if heard else {})
    assert stage(again, "sft") == stage(decided, "sft")


ENDED_AT = progress(100, 50).model_copy(update={"metrics": {"loss": 0.25}})
LAST_FIGURES: list[tuple[str, dict[str, Any], dict[str, Progress], Progress | None]] = [
    ("its own last words", {"progress": ENDED_AT}, {"sft": progress(90, 40)}, ENDED_AT),
    ("no heartbeat was ever heard", {"progress": ENDED_AT}, {}, ENDED_AT),
    ("a trainer whose last words have no figures", {}, {"sft": progress(90, 40)}, progress(100, 40)),
    ("nothing is known", {}, {}, None),
]


@pytest.mark.parametrize(("child", "heard", "shown"), [row[1:] for row in LAST_FIGURES], ids=[row[0] for row in LAST_FIGURES])
def test_a_stage_that_succeeded_has_its_last_figures(
    child: dict[str, Any], heard: dict[str, Progress], shown: Progress | None
) -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Succeeded", **child)], 60, heard)
    assert stage(decided, "sft").progress == shown
    again = planned(then(job, decided), [a_child(job, "sft", "Succeeded", **child)], 120, heard)
    assert stage(again, "sft").progress == shown


def test_the_next_attempt_waits_for_a_child_that_is_stopping() -> None:
    job = a_job()
    decided = planned(job, [a_child(job, "sft", "Stopping", message="waiting for job-sft-1-worker-0")])
    assert names(decided) == []
    assert (decided.status.phase, decided.status.message) == ("Restarting", "sft: waiting for job-sft-1-worker-0")


def test_suspending_stops_the_attempt_and_resuming_starts_the_next() -> None:
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


def test_a_job_suspended_from_the_start_creates_nothing() -> None:
    decided = planned(a_job(suspend=True), [])
    assert (names(decided), decided.status.phase) == ([], "Suspended")


def test_a_changed_stage_runs_again_and_the_stages_before_it_stay() -> None:
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


def test_changed_settings_replace_a_child_only_before_it_runs() -> None:
    job = a_job()
    assert names(planned(job, [a_child(job, "sft", "Pending", rendering="older")])) == []
    assert names(planned(job, [a_child(job, "sft", "Running", rendering="older")])) == ["job-sft-1"]


def test_a_finished_job_expires() -> None:
    job = a_job(ttlSecondsAfterFinished=60)
    finished = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")], 10)
    assert (finished.job_has_expired, finished.requeue_after_seconds) == (False, 60)
    assert planned(then(job, finished), [], 69).job_has_expired is False
    assert planned(then(job, finished), [], 70).job_has_expired is True


def test_a_job_that_expires_at_once_still_gets_its_final_status() -> None:
    job = a_job(ttlSecondsAfterFinished=0)
    finished = planned(job, [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")], 10)
    assert (finished.status.phase, finished.job_has_expired) == ("Succeeded", False)
    assert planned(then(job, finished), [], 10).job_has_expired is True


def test_a_stage_that_is_removed_and_added_again_runs_again() -> None:
    job, shorter = a_job(), a_job(generation=2, stages=[{"name": "sft", "sft": a_training()}])
    both = [a_child(job, "sft", "Succeeded"), a_child(job, "dpo", "Succeeded")]
    finished = planned(job, both)
    without = planned(then(shorter, finished), both, 10)
    assert names(without) == ["job-sft-1"]
    again = planned(then(a_job(generation=3), without), both[:1], 20)
    assert names(again) == ["job-sft-1", "job-dpo-1"]


def test_leftover_pods_of_an_earlier_attempt_do_not_stop_the_running_one() -> None:
    job = a_job()
    running = planned(job, [a_child(job, "sft", "Running")])
    left = a_child(job, "sft", "Stopping", uid="", start_time=None)
    decided = planned(then(job, running), [a_child(job, "sft", "Running"), left], 5)
    assert (names(decided), stage(decided, "sft").state) == (["job-sft-1"], "Running")


def test_a_stage_that_runs_again_does_not_show_the_progress_of_its_last_attempt() -> None:
    job = a_job()
    ended = planned(job, [a_child(job, "sft", "Succeeded")], 100, {"sft": progress(100, 90)}, pulses=pulse(90))
    changed = a_job(generation=2, stages=[{"name": "sft", "sft": a_training(maxLength=32)}, {"name": "dpo", "dpo": a_training()}])
    again = planned(then(changed, ended), [], 110, {"sft": progress(100, 90)}, pulses=pulse(90))
    pending = planned(then(changed, again), [], 120, {"sft": progress(100, 90)}, pulses=pulse(90))
    assert (stage(again, "sft").attempts, stage(pending, "sft").progress) == (2, None)


SITUATIONS: list[tuple[str, list[tuple[str, str, dict[str, Any]]]]] = [
    ("nothing", []),
    ("running", [("sft", "Running", {})]),
    ("failed", [("sft", "Failed", {"exit_code": 1})]),
    ("failed for good", [("sft", "Failed", {"exit_code": 65})]),
    ("second running", [("sft", "Succeeded", {}), ("dpo", "Running", {})]),
    ("finished", [("sft", "Succeeded", {}), ("dpo", "Succeeded", {})]),
]


@pytest.mark.parametrize("children", [row[1] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_planning_again_at_the_same_moment_changes_nothing(children: list[tuple[str, str, dict[str, Any]]]) -> None:
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


def test_the_status_has_the_generation_that_was_observed() -> None:
    assert planned(a_job(generation=7), []).status.observed_generation == 7
    assert planned(a_job(), []).status.start_time is None
    assert planned(a_job(), [a_child(a_job(), "sft", "Running")]).status.start_time == NOW
