"""Stages that do not build on each other: which run side by side, and what a failure of one stops."""

from typing import Any

import pytest
from branching_jobs import BRANCHES, DIAMOND, branching, children, trained
from builders import a_child, later
from plans import conditions, names, planned, progress, stage, then

BAD = ("Failed", {"exit_code": 65, "reason": "BadData", "message": "rows.jsonl:3: no answer"})
GONE = ("Failed", {"exit_code": 137, "reason": "Evicted", "message": "evicted"})
DONE, RUNS, QUEUED = "Succeeded", "Running", ("Queued", {"start_time": None})

Row = tuple[str, list[dict[str, Any]], int | None, dict[str, Any], str, str]
"""What happens, the stages, parallelStages, the first attempts, the stages after it as signs, phase and current stages.

Signs: w waiting, l lost (it builds on a failed stage), p pending, q queued, r running, t restarting, s succeeded, f failed."""
ROWS: list[Row] = [
    ("one at a time if unset", BRANCHES, None, {}, "pwww", "Pending sft"),
    ("one at a time: the first of the list that is ready", BRANCHES, None, {"sft": DONE}, "spww", "Pending dpo-a"),
    ("what is independent starts beside it", BRANCHES, 2, {}, "pwwp", "Pending sft, raw"),
    ("two places, three ready", BRANCHES, 2, {"sft": DONE}, "sppw", "Pending dpo-a, dpo-b"),
    ("who runs keeps its place before the list's order", BRANCHES, 2, {"sft": DONE, "raw": RUNS}, "spwr", "Running dpo-a, raw"),
    ("more places than stages", BRANCHES, 12, {"sft": DONE}, "sppp", "Pending dpo-a, dpo-b, raw"),
    (
        "all branches run",
        BRANCHES,
        3,
        {"sft": DONE, "dpo_a": RUNS, "dpo_b": RUNS, "raw": RUNS},
        "srrr",
        "Running dpo-a, dpo-b, raw",
    ),
    (
        "one waits in a queue, and keeps its place",
        BRANCHES,
        2,
        {"sft": DONE, "dpo_a": RUNS, "dpo_b": QUEUED},
        "srqw",
        "Running dpo-a, dpo-b",
    ),
    (
        "one fails for good, and its place is free",
        BRANCHES,
        2,
        {"sft": DONE, "dpo_a": BAD, "dpo_b": RUNS},
        "sfrp",
        "Running dpo-b, raw",
    ),
    ("one fails for good, and the next starts", BRANCHES, None, {"sft": DONE, "dpo_a": BAD}, "sfpw", "Pending dpo-b"),
    (
        "one is tried again, and keeps its place",
        BRANCHES,
        2,
        {"sft": DONE, "dpo_a": GONE, "dpo_b": RUNS},
        "strw",
        "Running dpo-a, dpo-b",
    ),
    ("the root fails: only what is independent runs", BRANCHES, 2, {"sft": BAD, "raw": RUNS}, "fllr", "Running raw"),
    ("the root fails, and then nothing is left", BRANCHES, 2, {"sft": BAD, "raw": DONE}, "flls", "Failed sft"),
    ("two fail", BRANCHES, 2, {"sft": DONE, "dpo_a": BAD, "dpo_b": BAD, "raw": DONE}, "sffs", "Failed dpo-a, dpo-b"),
    ("all succeed", BRANCHES, 2, {"sft": DONE, "dpo_a": DONE, "dpo_b": DONE, "raw": DONE}, "ssss", "Succeeded raw"),
    ("a diamond opens", DIAMOND, 2, {"teach": DONE}, "sppw", "Pending sft, judge"),
    ("a diamond opens one at a time", DIAMOND, 1, {"teach": DONE}, "spww", "Pending sft"),
    ("a diamond waits for its second side", DIAMOND, 2, {"teach": DONE, "sft": DONE, "judge": RUNS}, "ssrw", "Running judge"),
    ("a diamond closes", DIAMOND, 2, {"teach": DONE, "sft": DONE, "judge": DONE}, "sssp", "Pending dpo"),
    (
        "one side of a diamond fails, and the other ends",
        DIAMOND,
        2,
        {"teach": DONE, "sft": RUNS, "judge": BAD},
        "srfl",
        "Running sft",
    ),
    ("both sides have ended, one failed", DIAMOND, 2, {"teach": DONE, "sft": DONE, "judge": BAD}, "ssfl", "Failed judge"),
    ("the top of a diamond fails", DIAMOND, 2, {"teach": BAD}, "flll", "Failed teach"),
]
SIGNS = {"Waiting": "w", "Pending": "p", "Queued": "q", "Running": "r", "Restarting": "t", "Succeeded": "s", "Failed": "f"}


@pytest.mark.parametrize(
    ("stages", "parallel", "states", "signs", "shown"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_runs_and_what_waits(
    stages: list[dict[str, Any]], parallel: int | None, states: dict[str, Any], signs: str, shown: str
) -> None:
    job = branching(stages, parallel)
    observed = children(job, **states)
    decided = planned(job, observed, 60)
    written = [("l" if each.reason == "BuildsOnFailedStage" else SIGNS[each.state]) for each in decided.status.stages or []]
    assert ("".join(written), f"{decided.status.phase} {decided.status.current_stage}") == (signs, shown)
    pending = [run.name for run in decided.children if run.name not in [child.name for child in observed]]
    assert len(pending) == signs.count("p"), "each stage that begins gets a child, and no other"
    made = [
        a_child(job, run.stage.name, "Pending", reason="Starting", start_time=None)
        for run in decided.children
        if run.name in pending
    ]
    again = planned(then(job, decided), observed + made, 60)
    assert (again.status, names(again)) == (decided.status, names(decided)), "planning again changes nothing"


def test_what_builds_on_a_failed_stage_says_so_and_the_job_has_its_reason() -> None:
    job = branching(parallel=2)
    decided = planned(job, children(job, sft=BAD, raw=DONE), 60)
    lost = stage(decided, "dpo-b")
    assert (lost.state, lost.reason, lost.message) == ("Waiting", "BuildsOnFailedStage", "it builds on sft, which failed")
    assert (decided.status.reason, decided.status.message) == ("BadData", "sft: rows.jsonl:3: no answer")
    assert conditions(decided) == {"Suspended": "False", "Progressing": "False", "Complete": "False", "Failed": "True"}


def test_a_failure_is_told_while_others_run_and_all_failures_at_the_end() -> None:
    job = branching(parallel=3)
    running = planned(job, children(job, sft=DONE, dpo_a=BAD, dpo_b=RUNS, raw=DONE), 60)
    assert running.status.message == "dpo-b is running; dpo-a: rows.jsonl:3: no answer"
    assert conditions(running)["Progressing"] == "True"
    ended = planned(then(job, running), children(job, sft=DONE, dpo_a=BAD, dpo_b=BAD, raw=DONE), 70)
    assert ended.status.message == "dpo-a: rows.jsonl:3: no answer; dpo-b: rows.jsonl:3: no answer"
    assert (ended.status.phase, ended.status.completion_time) == ("Failed", later(70))


def test_a_stage_that_is_ready_says_which_setting_lets_it_wait() -> None:
    decided = planned(branching(parallel=2), [])
    assert (stage(decided, "dpo-a").message, stage(decided, "dpo-a").reason) == (None, None), "it waits for sft as in any job"
    job = branching()
    full = planned(job, children(job, sft=RUNS))
    assert stage(full, "raw").message == "ready, but parallelStages (1) lets no other stage run now"


def test_the_columns_are_of_all_that_runs() -> None:
    job = branching(
        [
            BRANCHES[0],
            *(
                {**each, "compute": {"nodes": 1, "gpusPerNode": count}}
                for each, count in zip(BRANCHES[1:], (2, 4, 8), strict=True)
            ),
        ],
        3,
    )
    observed = children(job, sft=DONE, dpo_a=RUNS, dpo_b=RUNS, raw=("Pending", {"reason": "Starting", "start_time": None}))
    decided = planned(job, observed, 60, {"dpo-a": progress(40, 50), "dpo-b": progress(80, 60)})
    status = decided.status
    assert (status.current_stage, status.gpus, status.eta) == ("dpo-a, dpo-b, raw", 6, "1m")
    assert status.estimated_completion_time == later(50 + 60), "the one that ends last"
    assert status.progress == "55%", "a quarter of 100 + 40 + 80 + 0"


def test_a_retry_waits_while_the_other_stage_runs_on() -> None:
    job = branching(parallel=2)
    observed = children(job, sft=DONE, dpo_a=GONE, dpo_b=RUNS)
    failed = planned(job, observed, 60)
    assert (names(failed), failed.status.phase) == (["job-sft-1", "job-dpo-a-1", "job-dpo-b-1"], "Running")
    assert failed.requeue_after_seconds == 10, "the delay of the retry, and not the stall timeout of the other"
    clearing = planned(then(job, failed), observed, 70)
    assert names(clearing) == ["job-sft-1", "job-dpo-b-1"]
    retried = planned(then(job, clearing), [observed[0], observed[2]], 71)
    assert names(retried) == ["job-sft-1", "job-dpo-a-2", "job-dpo-b-1"]
    assert stage(retried, "dpo-b").state == "Running"


def test_suspending_stops_all_and_resuming_continues_those_that_had_begun() -> None:
    job = branching(parallel=2)
    observed = children(job, sft=DONE, dpo_b=RUNS, raw=RUNS)
    running = planned(job, observed, 10)
    held = then(branching(parallel=2, suspend=True, generation=2), running)
    stopping = planned(held, observed, 20)
    assert (names(stopping), stopping.status.phase, stopping.status.reason) == (["job-sft-1"], "Running", "Suspending")
    assert stage(stopping, "dpo-a").message == "suspended before it started"
    half = planned(then(held, stopping), [observed[0], a_child(job, "raw", "Stopping")], 30)
    assert (half.status.phase, conditions(half)["Suspended"]) == ("Running", "False"), "one still saves its checkpoint"
    suspended = planned(then(held, half), observed[:1], 40)
    assert (suspended.status.phase, suspended.status.current_stage) == ("Suspended", "dpo-a, dpo-b, raw")
    resumed = planned(then(branching(parallel=2, generation=3), suspended), observed[:1], 50)
    assert names(resumed) == ["job-sft-1", "job-dpo-b-2", "job-raw-2"]
    assert stage(resumed, "dpo-a").state == "Waiting", "the places are taken by those that had begun"


def test_resuming_begins_no_more_than_there_are_places() -> None:
    job = branching([trained("one"), trained("two")])
    observed = children(job, one=BAD, two=RUNS)
    failed = planned(job, observed, 10)
    edited = then(branching([trained("one"), trained("two")], generation=2, ttlSecondsAfterFinished=9), failed)
    waits = planned(edited, observed, 20)
    assert (names(waits), stage(waits, "one").attempts) == (["job-two-1"], 1)
    held = then(branching([trained("one"), trained("two")], suspend=True, generation=3), waits)
    suspended = planned(held, [], 30)
    assert [(each.state, each.attempts) for each in suspended.status.stages or []] == [("Suspended", 1)] * 2
    resumed = planned(then(branching([trained("one"), trained("two")], generation=4), suspended), [], 40)
    assert names(resumed) == ["job-one-2"], "the first of the list"
    assert stage(resumed, "two").message == "ready, but parallelStages (1) lets no other stage run now"


def test_fewer_places_while_suspended_resume_so_many() -> None:
    job = branching(parallel=3)
    observed = children(job, sft=DONE, dpo_a=RUNS, dpo_b=RUNS, raw=RUNS)
    held = then(branching(parallel=3, suspend=True, generation=2), planned(job, observed, 10))
    suspended = planned(held, observed[:1], 20)
    narrowed = then(branching(parallel=1, generation=3), suspended)
    assert names(planned(narrowed, observed[:1], 30)) == ["job-sft-1", "job-dpo-a-2"]
    stopping = [observed[0], a_child(job, "raw", "Stopping")]
    assert names(planned(narrowed, stopping, 30)) == ["job-sft-1"], "what still stops has its place"


def test_the_deadline_counts_the_containers_of_all_stages() -> None:
    job = branching(parallel=2, activeDeadlineSeconds=100, restart={"stallTimeoutSeconds": 1000})
    observed = children(job, sft=RUNS, raw=RUNS)
    running = planned(job, observed, 10)
    early = planned(then(job, running), observed, 30)
    assert early.requeue_after_seconds == 20, "40 s are left, and two stages use them up"
    over = planned(then(job, early), observed, 50)
    assert (over.status.phase, over.status.reason, names(over)) == ("Failed", "DeadlineExceeded", [])
    assert [each.active_seconds for each in over.status.stages or []] == [50, 0, 0, 50]
    assert stage(over, "dpo-a").reason == "BuildsOnFailedStage"
    assert planned(then(job, over), [], 500).status == over.status
    raised = branching(parallel=2, activeDeadlineSeconds=200, restart={"stallTimeoutSeconds": 1000}, generation=2)
    assert names(planned(then(raised, over), [], 600)) == ["job-sft-2", "job-raw-2"]


def test_the_deadline_also_ends_what_had_no_place() -> None:
    job = branching([trained("one"), trained("two")], activeDeadlineSeconds=100)
    over = planned(job, children(job, one=RUNS), 100)
    assert [each.reason for each in over.status.stages or []] == ["DeadlineExceeded", "DeadlineExceeded"]
    assert over.status.phase == "Failed"


def test_an_edit_of_one_branch_leaves_the_other_alone() -> None:
    job = branching(parallel=3)
    observed = children(job, sft=DONE, dpo_a=RUNS, dpo_b=RUNS, raw=RUNS)
    running = planned(job, observed, 10)
    stages = [*BRANCHES[:2], trained("dpo-b", "sft", beta=0.5), BRANCHES[3]]
    edited = then(branching(stages, 3, generation=2), running)
    clearing = planned(edited, observed, 20)
    assert names(clearing) == ["job-sft-1", "job-dpo-a-1", "job-raw-1"]
    left = [child for child in observed if child.stage != "dpo-b"]
    again = planned(then(edited, clearing), left, 30)
    assert names(again) == ["job-sft-1", "job-dpo-a-1", "job-dpo-b-2", "job-raw-1"]
    assert stage(again, "dpo-a") == stage(clearing, "dpo-a")


def test_an_edit_of_the_root_stops_what_builds_on_it_and_nothing_else() -> None:
    job = branching(parallel=3)
    observed = children(job, sft=DONE, dpo_a=RUNS, dpo_b=BAD, raw=RUNS)
    edited = then(branching([trained("sft", beta=0.5), *BRANCHES[1:]], 3, generation=2), planned(job, observed, 10))
    clearing = planned(edited, observed, 20)
    assert names(clearing) == ["job-raw-1"]
    again = planned(then(edited, clearing), [observed[3]], 30)
    assert names(again) == ["job-sft-2", "job-raw-1"]
    assert [each.state for each in again.status.stages or []] == ["Pending", "Waiting", "Waiting", "Running"]


def test_a_failed_stage_that_an_edit_tries_again_waits_for_a_place() -> None:
    job = branching()
    observed = children(job, sft=DONE, dpo_a=BAD, dpo_b=RUNS)
    running = planned(job, observed, 10)
    edited = then(branching(generation=2, ttlSecondsAfterFinished=9), running)
    waits = planned(edited, observed, 20)
    assert names(waits) == ["job-sft-1", "job-dpo-b-1"]
    assert (stage(waits, "dpo-a").state, stage(waits, "dpo-a").application_failures) == ("Waiting", 0)
    ended = [observed[0], a_child(job, "dpo-b", "Succeeded")]
    freed = planned(then(edited, waits), ended, 30)
    assert stage(freed, "dpo-a").state == "Waiting"
    begun = planned(then(edited, freed), ended, 30)
    assert names(begun) == ["job-sft-1", "job-dpo-a-2", "job-dpo-b-1"], "the first of the list that is ready"


def test_an_edit_that_cannot_run_lets_both_continue_and_starts_neither() -> None:
    job = branching(parallel=2)
    observed = children(job, sft=DONE, dpo_a=RUNS, raw=RUNS)
    running = planned(job, observed, 10)
    refused = then(branching(parallel=2, recipe="no-such", generation=2), running)
    both = planned(refused, observed, 20)
    assert (names(both), both.status.phase, both.status.reason) == (
        ["job-sft-1", "job-dpo-a-1", "job-raw-1"],
        "Running",
        "InvalidSpec",
    )
    ended = children(job, sft=DONE, dpo_a=DONE, raw=DONE)
    stuck = planned(then(refused, planned(then(refused, both), ended, 30)), ended, 30)
    assert (stuck.status.phase, stuck.status.reason, stage(stuck, "dpo-b").reason) == ("Failed", "InvalidSpec", "InvalidSpec")


def test_a_job_that_failed_in_a_version_without_branches_starts_nothing_until_it_is_edited() -> None:
    stages_then = [*BRANCHES, trained("last", "raw")]
    job = branching(stages_then)
    failed = planned(job, children(job, sft=BAD), 10).status
    unbegun = {"state": "Waiting", "reason": None, "message": None, "attempts": 0, "child": None}
    stages = [each if each.state == "Failed" else each.model_copy(update=unbegun) for each in failed.stages or []]
    old = failed.model_copy(update={"phase": "Failed", "reason": "BadData", "stages": stages, "completion_time": later(10)})
    kept = planned(branching(stages_then, status=old), children(job, sft=BAD), 20)
    assert (names(kept), kept.status.phase, kept.status.completion_time) == (["job-sft-1"], "Failed", later(10))
    assert [each.reason for each in kept.status.stages or []] == ["BadData", *["BuildsOnFailedStage"] * 2, *["JobFailed"] * 2]
    again = planned(branching(stages_then, status=kept.status), children(job, sft=BAD), 30)
    assert again.status == kept.status
    edited = planned(branching(stages_then, status=kept.status, parallel=2, generation=2), [], 40)
    assert names(edited) == ["job-sft-2", "job-raw-1"]


def test_fewer_places_stop_nothing_that_runs() -> None:
    job = branching(parallel=3)
    observed = children(job, sft=RUNS, raw=RUNS)
    narrowed = then(branching(parallel=1, generation=2), planned(job, observed, 10))
    assert names(planned(narrowed, observed, 20)) == ["job-sft-1", "job-raw-1"]


def test_a_stage_that_is_being_removed_keeps_its_place_until_it_has_stopped() -> None:
    job = branching()
    running = planned(job, children(job, sft=DONE, dpo_a=RUNS), 10)
    without = then(branching([BRANCHES[0], *BRANCHES[2:]], generation=2), running)
    assert names(planned(without, children(job, sft=DONE, dpo_a=RUNS), 20)) == ["job-sft-1"]
    assert names(planned(without, children(job, sft=DONE), 30)) == ["job-sft-1", "job-dpo-b-1"]
