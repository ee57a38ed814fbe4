"""A stage that asks endpoints: what an edit of its limits does, and how it counts what it has done."""

from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.run_config import RunConfig
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Progress
from alignment_operator.backends import pytorchjob
from alignment_operator.deciding.plan import Plan
from alignment_trainer.failures import (
    BadConfiguration,
    BudgetSpent,
    KeyRefused,
    StageFailure,
    Stopped,
    TooFewRows,
    Unreachable,
    UnusableAnswers,
)
from builders import NOW, PLAN_SETTINGS, a_child, a_job, a_run, a_training, later
from plans import names, planned, stage, then

PRICE = {"promptPerMillionTokens": 0.5, "answerPerMillionTokens": 1.5}
TEACHER = {"baseUrl": "http://teacher:8000/v1", "model": "t", "price": PRICE}
ROWS = [{"uri": "workspace://rows.jsonl"}]
BUDGET = {"requests": 10}
SFT = {"name": "sft", "sft": a_training(datasets=[{"stage": "distill"}])}

pytestmark = pytest.mark.usefixtures("every_kind_runs")


def a_distilling_job(generation: int = 1, **settings: Any) -> AlignmentJob:
    distill = {"teachers": [TEACHER], "prompts": ROWS, "budget": BUDGET, **settings}
    return a_job(generation, stages=[{"name": "distill", "distill": distill}, SFT], compute={"nodes": 2, "gpusPerNode": 4})


LIMITS: list[tuple[str, dict[str, Any]]] = [
    ("a higher budget", {"budget": {"requests": 20}}),
    ("no budget", {"budget": {}}),
    ("another price", {"teachers": [{**TEACHER, "price": {**PRICE, "promptPerMillionTokens": 0.1}}]}),
    ("another key", {"teachers": [{**TEACHER, "apiKeySecret": {"name": "teacher", "key": "api-key"}}]}),
    ("another limit of the server", {"teachers": [{**TEACHER, "requestsPerMinute": 60}]}),
    ("more failed rows", {"maximumFailedShare": 0.5}),
]
limits = pytest.mark.parametrize("edit", [edit for _, edit in LIMITS], ids=[situation for situation, _ in LIMITS])


def spent(job: AlignmentJob) -> Plan:
    """The plan after the teacher's budget was spent."""
    message = "the budget of 10 requests is spent; raise budget.requests to continue"
    return planned(job, [a_child(job, "distill", "Failed", exit_code=78, reason="BudgetSpent", message=message)])


def test_a_spent_budget_ends_the_job_and_waiting_continues_nothing() -> None:
    job = a_distilling_job()
    decided = spent(job)
    assert (decided.status.phase, decided.status.reason) == ("Failed", "BudgetSpent")
    assert "raise budget.requests" in (decided.status.message or "")
    later = planned(then(job, decided), [a_child(job, "distill", "Failed", exit_code=78, reason="BudgetSpent")], 10_000)
    assert (names(later), later.status.phase, later.requeue_after_seconds) == (["job-distill-1"], "Failed", None)


@pytest.mark.parametrize(
    ("failure", "phase", "counts"),
    [
        (BudgetSpent, "Failed", (0, 0)),
        (KeyRefused, "Failed", (0, 0)),
        (BadConfiguration, "Failed", (0, 0)),
        (UnusableAnswers, "Failed", (0, 0)),
        # Another attempt asks only for what has no answer.
        (TooFewRows, "Restarting", (1, 0)),
        (Unreachable, "Restarting", (0, 1)),
        (Stopped, "Restarting", (0, 1)),
    ],
)
def test_what_follows_from_each_failure(failure: type[StageFailure], phase: str, counts: tuple[int, int]) -> None:
    job = a_distilling_job()
    decided = planned(job, [a_child(job, "distill", "Failed", exit_code=failure.exit_code, reason=failure.reason)])
    record = stage(decided, "distill")
    assert (decided.status.phase, record.reason) == (phase, failure.reason)
    assert (record.application_failures, record.infrastructure_failures) == counts


@limits
def test_an_edit_of_a_limit_continues_a_failed_stage_in_the_same_folder(edit: dict[str, Any]) -> None:
    job, raised = a_distilling_job(), a_distilling_job(2, **edit)
    failed = a_child(job, "distill", "Failed", exit_code=78, reason="BudgetSpent")
    clearing = planned(then(raised, spent(job)), [failed], 20)
    assert (names(clearing), clearing.status.phase) == ([], "Restarting")
    assert clearing.status.message == "distill: the spec was edited after the last attempt failed; it is tried again"
    following = planned(then(raised, clearing), [], 21)
    assert names(following) == ["job-distill-2"]
    assert stage(following, "distill").input_hash == stage(spent(job), "distill").input_hash
    (run,) = following.children
    config = run.run_config(PLAN_SETTINGS)
    assert config.paths.stage.endswith("/distill")
    assert config.stage == (a_run(raised, "distill").spec.stages or [])[0], "the pods read the new limits"


def test_a_job_that_is_run_again_without_an_edit_of_the_stage_says_no_edit() -> None:
    job, again = a_distilling_job(), a_distilling_job(2)
    failed = a_child(job, "distill", "Failed", exit_code=78, reason="KeyRefused")
    clearing = planned(then(again, spent(job)), [failed], 20)
    assert (clearing.status.phase, clearing.status.message) == ("Restarting", "distill: it is tried again")


@limits
def test_an_edit_of_a_limit_replaces_a_running_attempt_without_counting(edit: dict[str, Any]) -> None:
    job, raised = a_distilling_job(), a_distilling_job(2, **edit)
    running = a_child(job, "distill", "Running")
    stopping = planned(then(raised, planned(job, [running])), [running], 5)
    assert (names(stopping), stage(stopping, "distill").reason) == ([], "SpecChanged")
    following = planned(then(raised, stopping), [], 10)
    assert names(following) == ["job-distill-2"]
    record = stage(following, "distill")
    assert (record.application_failures, record.input_hash) == (0, stage(planned(job, [running]), "distill").input_hash)


@limits
def test_an_edit_of_a_limit_changes_nothing_of_a_finished_stage_and_of_its_readers(edit: dict[str, Any]) -> None:
    job, raised = a_distilling_job(), a_distilling_job(2, **edit)
    children = [a_child(job, "distill", "Succeeded"), a_child(job, "sft", "Running")]
    decided = planned(then(raised, planned(job, children)), children, 5)
    assert names(decided) == ["job-distill-1", "job-sft-1"]
    assert (stage(decided, "distill").state, stage(decided, "sft").state) == ("Succeeded", "Running")


def test_what_shapes_answers_starts_the_stage_and_its_readers_again() -> None:
    job, edited = a_distilling_job(), a_distilling_job(2, systemPrompt="Be brief.")
    children = [a_child(job, "distill", "Succeeded"), a_child(job, "sft", "Running")]
    clearing = planned(then(edited, planned(job, children)), children, 5)
    assert (names(clearing), stage(clearing, "distill").state) == ([], "Waiting")


def test_it_is_suspended_and_resumed_without_a_gpu() -> None:
    job = a_distilling_job()
    running = a_child(job, "distill", "Running")
    held = job.model_copy(update={"spec": job.spec.model_copy(update={"suspend": True})})
    stopping = planned(then(held, planned(job, [running])), [running], 5)
    assert (names(stopping), stopping.status.reason, stopping.status.gpus) == ([], "Suspending", 0)
    suspended = planned(then(held, stopping), [], 10)
    assert (suspended.status.phase, suspended.status.gpu_seconds) == ("Suspended", 0)
    assert suspended.status.message == "distill: suspended; it will continue with the rows that are left"
    assert names(planned(then(a_distilling_job(3), suspended), [], 30)) == ["job-distill-2"]


def rows_done(number: int) -> dict[str, Progress]:
    values = {metrics.ROWS_WRITTEN: float(number), metrics.ROWS_LEFT_OUT: 0, metrics.REQUESTS: float(number), metrics.COST: 1.5}
    return {"distill": Progress(step=number, total_steps=900, percent=number // 9, updated_time=NOW, metrics=values)}


def test_its_rows_are_in_the_status() -> None:
    job = a_distilling_job()
    decided = planned(job, [a_child(job, "distill", "Running")], 60, rows_done(450))
    assert (decided.status.reason, decided.status.progress) == ("WritingRows", "25%")
    assert decided.status.message == "distill: 450 of 900 rows, 450 requests, cost 1.50"


@pytest.mark.parametrize(
    ("done", "ran_seconds", "failures"),
    [(100, 7200, 2), (300, 7200, 1), (300, 60, 2)],
    ids=["no row more", "rows after a long time", "rows after a short time"],
)
def test_rows_are_lasting_progress_as_checkpoints_are(done: int, ran_seconds: int, failures: int) -> None:
    job = a_distilling_job()
    broken = a_child(job, "distill", "Failed", exit_code=70, reason="Defect", end_time=later(60))
    first = planned(job, [broken], 60, rows_done(100))
    assert "retrying from row 100 in 10 s" in (first.status.message or "")
    again = a_child(
        job, "distill", "Failed", attempt=2, exit_code=70, reason="Defect", start_time=later(90), end_time=later(90 + ran_seconds)
    )
    second = planned(then(job, first), [again], 100 + ran_seconds, rows_done(done))
    assert stage(second, "distill").application_failures == failures


FEEDBACK = {"judge": TEACHER, "prompts": ROWS}
PODS: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("teachers", {"distill": {"teachers": [TEACHER], "prompts": ROWS}}, 1, None),
    ("an ensemble of servers", {"feedback": {**FEEDBACK, "responders": [{"endpoint": TEACHER}]}}, 1, None),
    ("rows that are judged", {"feedback": {"judged": ROWS}}, 1, None),
    ("a model of the job", {"feedback": {**FEEDBACK, "responders": [{"endpoint": TEACHER}, {"model": {"base": True}}]}}, 2, "4"),
    ("a stage's own compute", {"distill": {"teachers": [TEACHER], "prompts": ROWS}, "compute": {"gpusPerNode": 1}}, 1, "1"),
]


@pytest.mark.parametrize(("settings", "pods", "gpus"), [row[1:] for row in PODS], ids=[row[0] for row in PODS])
def test_its_pods(settings: dict[str, Any], pods: int, gpus: str | None) -> None:
    job = a_job(stages=[{"name": "rows", **settings}], compute={"nodes": 2, "gpusPerNode": 4})
    config, child = pytorchjob.render(a_run(job, "rows"), PLAN_SETTINGS)
    replicas = child["spec"]["pytorchReplicaSpecs"]
    assert sum(replica["replicas"] for replica in replicas.values()) == pods
    (container,) = replicas["Master"]["template"]["spec"]["containers"]
    assert container["resources"].get("limits", {}).get("nvidia.com/gpu") == gpus
    assert RunConfig.model_validate_json(config["data"]["run.json"]).world_size == pods * int(gpus or 1)


def asking_models(length: int = 64) -> AlignmentJob:
    responders = [{"endpoint": TEACHER}, {"model": {"base": True}}, {"model": {"stage": "second"}}]
    stages = [
        {"name": "first", "sft": a_training()},
        {"name": "second", "sft": a_training(maxLength=length)},
        {"name": "third", "model": {"stage": "first"}, "sft": a_training()},
        {"name": "judged", "feedback": {**FEEDBACK, "responders": responders}},
        {"name": "dpo", "model": {"stage": "third"}, "dpo": a_training(datasets=[{"stage": "judged"}])},
    ]
    return a_job(stages=stages)


def test_it_is_told_where_the_models_are_that_it_asks_and_its_readers_where_its_rows_are() -> None:
    job = asking_models()
    judged, dpo = (a_run(job, name).run_config(PLAN_SETTINGS).paths for name in ("judged", "dpo"))
    assert {name: folder.rpartition("/second/")[2] for name, folder in (judged.stage_models or {}).items()} == {"second": "model"}
    assert judged.parent_model is None, "it starts from no model"
    assert {name: folder.rpartition("/judged/")[2] for name, folder in (dpo.stage_rows or {}).items()} == {"judged": "rows"}
    assert dpo.stage_models is None


def test_it_runs_again_with_the_models_that_it_asks_and_its_readers_with_it() -> None:
    old, new = ({name: a_run(asking_models(length), name).input_hash for name in ORDER} for length in (64, 32))
    assert [name for name in ORDER if old[name] != new[name]] == ["second", "judged", "dpo"]


ORDER = ("first", "second", "third", "judged", "dpo")
