"""Plans jobs in tests, and reads the decisions."""

from typing import Any

from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Progress, StageStatus
from alignment_operator.deciding.observation import Child, Pulse, Report
from alignment_operator.deciding.plan import Plan, plan
from builders import NOW, PLAN_SETTINGS, later


def planned(
    job: AlignmentJob,
    children: list[Child],
    seconds: float = 0,
    progress: dict[str, Progress] | None = None,
    silence: str | None = None,
    pulses: dict[str, Pulse] | None = None,
    is_asked: bool = True,
) -> Plan:
    asked = dict.fromkeys((each.name for each in job.spec.stages or []), NOW) if is_asked else {}
    report = Report(progress or {}, silence=silence, pulses=pulses or {}, asked_since=asked)
    return plan(job, settle(job), children, report, PLAN_SETTINGS, later(seconds))


def then(job: AlignmentJob, decided: Plan, **changes: Any) -> AlignmentJob:
    """The same job after its new status was written."""
    return job.model_copy(update={"status": decided.status, **changes})


def names(decided: Plan) -> list[str]:
    return [run.name for run in decided.children]


def stage(decided: Plan, name: str) -> StageStatus:
    return next(stage for stage in decided.status.stages or [] if stage.name == name)


def conditions(decided: Plan) -> dict[str, str]:
    return {condition.type: condition.status for condition in decided.status.conditions or []}


def progress(step: int, seconds: float = 0) -> Progress:
    return Progress(step=step, total_steps=100, percent=step, seconds_left=100 - step, updated_time=later(seconds))


def pulse(heard: float, alive: float | None = None, **others: Any) -> dict[str, Pulse]:
    """The last answer of the first attempt's pod."""
    return {"sft": Pulse(1, later(heard), later(alive if alive is not None else heard), **others)}
