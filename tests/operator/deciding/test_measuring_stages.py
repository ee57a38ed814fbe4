"""A stage that measures models: its steps are rows, and its status says what it measures."""

from typing import Any

from alignment_api import metrics
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Progress
from alignment_operator.deciding.observation import Pulse, Report
from alignment_operator.deciding.plan import plan
from builders import NOW, PLAN_SETTINGS, a_child, a_job, a_training, later
from plans import planned, then

EXAM = {
    "models": [{"base": True}, {"stage": "sft"}],
    "tasks": [{"name": "arc", "measure": "MultipleChoice", "dataset": {"uri": "workspace://arc.jsonl"}}],
}
MEASURED = {metrics.ROWS_WRITTEN: 40.0}
PROGRESS = {"exam": Progress(step=40, total_steps=400, percent=10, updated_time=NOW, metrics=MEASURED)}


def measuring(**spec: Any) -> AlignmentJob:
    return a_job(stages=[{"name": "sft", "sft": a_training()}, {"name": "exam", "evaluate": EXAM}], **spec)


def test_its_status_says_what_it_measures() -> None:
    job = measuring()
    pulse = Pulse(attempt=1, heard_time=later(60), alive_time=later(60), doing="measuring sft on arc: 40 of 200 rows")
    children = [a_child(job, "sft", "Succeeded"), a_child(job, "exam", "Running")]
    report = Report(stages=PROGRESS, pulses={"exam": pulse}, asked_since={"exam": NOW})
    decided = plan(job, settle(job), children, report, PLAN_SETTINGS, later(60))
    assert decided.status.reason == "MeasuringRows"
    assert decided.status.message == "exam: measuring sft on arc: 40 of 200 rows, 40 of 400 rows"


def test_it_continues_from_its_rows() -> None:
    job = measuring()
    before = a_child(job, "sft", "Succeeded")
    broken = a_child(job, "exam", "Failed", exit_code=70, reason="Defect", end_time=later(60))
    decided = planned(job, [before, broken], 60, PROGRESS)
    assert "retrying from row 40 in 10 s" in (decided.status.message or "")
    running = [before, a_child(job, "exam", "Running")]
    held = job.model_copy(update={"spec": job.spec.model_copy(update={"suspend": True})})
    stopping = planned(then(held, planned(job, running)), running, 5)
    assert (stopping.status.reason, stopping.status.message) == ("Suspending", "exam: keeping its answers and stopping")
