"""Decides everything: from a job and what is observed, the children that should exist and the status to write; pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from alignment_api.job import AlignmentJob, AlignmentJobSpec, AlignmentJobStatus

from alignment_operator.job_status import is_finished, summarize
from alignment_operator.observation import Child, Report
from alignment_operator.settings import Settings
from alignment_operator.stage_plan import Halt, Situation, decide
from alignment_operator.stage_run import StageRun


class Plan(NamedTuple):
    """What should be: children that are observed and not listed are deleted."""

    children: list[StageRun]
    status: AlignmentJobStatus
    requeue_after_seconds: float | None
    job_has_expired: bool


def plan(
    job: AlignmentJob,
    spec: AlignmentJobSpec,
    observed: list[Child],
    report: Report,
    settings: Settings,
    now: datetime,
) -> Plan:
    """Decide what should be of a job whose resolved spec is given."""
    old = job.status or AlignmentJobStatus()
    renewed = old.observed_generation is not None and old.observed_generation != job.metadata.generation
    records = {stage.name: stage for stage in old.stages or []}
    halt, deadline_seconds = _halt(spec, old, now)
    children, statuses, waits, may_run = [], [], [deadline_seconds], True
    for stage in spec.stages or []:
        run = StageRun(job, spec, stage, attempt=1)
        mine = [child for child in observed if child.stage == stage.name]
        decision = decide(
            Situation(
                run,
                records.get(stage.name),
                mine,
                report.stages.get(stage.name),
                report.silence,
                may_run,
                halt,
                renewed,
                settings,
                now,
            )
        )
        children += [StageRun(job, spec, stage, attempt) for attempt in decision.attempts]
        statuses.append(decision.status.model_copy(update={"run_id": report.run_ids.get(stage.name, decision.status.run_id)}))
        waits.append(decision.requeue_after_seconds)
        may_run = may_run and decision.status.state == "Succeeded"
    status = summarize(job, spec, statuses, report.tracking or old.tracking, now)
    expires_seconds = _expires_seconds(spec, status, now)
    waits.append(expires_seconds)
    known_waits = [wait for wait in waits if wait is not None]
    # Only what has been written down as finished is deleted: its end was to be seen.
    expired = is_finished(old) and expires_seconds is not None and expires_seconds <= 0
    return Plan(children, status, min(known_waits) if known_waits else None, expired)


def _halt(spec: AlignmentJobSpec, old: AlignmentJobStatus, now: datetime) -> tuple[Halt | None, float | None]:
    """Say why nothing may run, or how long the deadline is away."""
    if not is_finished(old) and spec.active_deadline_seconds and old.start_time:
        left = (old.start_time + timedelta(seconds=spec.active_deadline_seconds) - now).total_seconds()
        if left <= 0:
            return "DeadlineExceeded", None
        return ("Suspended" if spec.suspend else None), left
    return ("Suspended" if spec.suspend else None), None


def _expires_seconds(spec: AlignmentJobSpec, status: AlignmentJobStatus, now: datetime) -> float | None:
    if not is_finished(status) or spec.ttl_seconds_after_finished is None or status.completion_time is None:
        return None
    return (status.completion_time + timedelta(seconds=spec.ttl_seconds_after_finished) - now).total_seconds()
