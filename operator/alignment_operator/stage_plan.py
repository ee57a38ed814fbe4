"""Decides about one stage: which attempt of it is wanted, and what its status says; pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from alignment_api.exit_codes import consequence
from alignment_api.job import Progress, StageStatus
from alignment_api.names import MODEL_FOLDER, WORKSPACE_PREFIX
from alignment_api.stages import TRAINING_KINDS

from alignment_operator.observation import Child
from alignment_operator.settings import Settings
from alignment_operator.stage_run import StageRun

Halt = Literal["Suspended", "DeadlineExceeded"]


@dataclass(frozen=True)
class Situation:
    """All that the decision about a stage depends on."""

    run: StageRun
    previous: StageStatus | None
    children: list[Child]
    progress: Progress | None
    silence: str | None
    may_run: bool
    halt: Halt | None
    renewed: bool
    settings: Settings
    now: datetime


@dataclass(frozen=True)
class StageDecision:
    """The status to write, the attempts that should exist, and when to look again."""

    status: StageStatus
    attempts: list[int]
    requeue_after_seconds: float | None = None


def decide(situation: Situation) -> StageDecision:
    """Decide what is wanted of a stage, from what was recorded and what is observed."""
    record = _recorded(situation)
    newest = _newest(situation, record)
    if record.state == "Succeeded":
        return StageDecision(record, [newest.attempt] if newest else [])
    if newest and newest.state == "Succeeded" and newest.input_hash == record.input_hash:
        return StageDecision(_succeeded(situation, record, newest), [newest.attempt])
    if newest and newest.state == "Failed" and newest.input_hash == record.input_hash and not _counted(record, newest):
        return _failed(situation, record, newest)
    if not situation.may_run:
        return StageDecision(record.model_copy(update={"state": "Waiting", "reason": None, "message": None}), [])
    if record.state == "Failed":
        return StageDecision(record, [newest.attempt] if newest else [])
    if situation.halt:
        return _halted(situation, record)
    stopping = next((child for child in situation.children if child.state == "Stopping"), None)
    if stopping:
        message = stopping.message or "waiting for the previous attempt to end"
        return StageDecision(_with(record, "Restarting", "Stopping", message), [])
    if newest and newest.state in ("Pending", "Queued", "Running"):
        return _under_way(situation, record, newest)
    return _next_attempt(situation, record, newest)


def _recorded(situation: Situation) -> StageStatus:
    """Take up the earlier record, unless the spec has changed under it."""
    run, previous = situation.run, situation.previous
    attempts = max([child.attempt for child in situation.children] + [previous.attempts if previous else 0])
    if previous is None or (previous.input_hash is not None and previous.input_hash != run.input_hash):
        return StageStatus(
            name=run.stage.name,
            state="Waiting",
            attempts=attempts,
            failed_attempt=previous.failed_attempt if previous else None,
            gpu_seconds=previous.gpu_seconds if previous else 0,
            input_hash=run.input_hash,
        )
    record = previous.model_copy(update={"attempts": attempts, "input_hash": run.input_hash})
    if situation.renewed and record.state in ("Failed", "Restarting"):
        record = record.model_copy(
            update={"state": "Restarting", "application_failures": 0, "retry_time": situation.now, "completion_time": None}
        )
    return record


def _newest(situation: Situation, record: StageStatus) -> Child | None:
    return next((child for child in situation.children if child.attempt == record.attempts), None)


def _counted(record: StageStatus, child: Child) -> bool:
    return record.failed_attempt is not None and record.failed_attempt >= child.attempt


def _with(record: StageStatus, state: str, reason: str | None, message: str | None, **others: object) -> StageStatus:
    return record.model_copy(update={"state": state, "reason": reason, "message": message, **others})


def _gpu_seconds(situation: Situation, child: Child) -> int:
    gpus = (situation.run.compute.nodes or 1) * (situation.run.compute.gpus_per_node or 0)
    if child.start_time is None:
        return 0
    return int(((child.end_time or situation.now) - child.start_time).total_seconds() * gpus)


def _succeeded(situation: Situation, record: StageStatus, child: Child) -> StageStatus:
    run = situation.run
    folder = run.folder_of(run.stage, "")
    output = folder / MODEL_FOLDER if run.stage.kind in TRAINING_KINDS else folder
    return _with(
        record,
        "Succeeded",
        "Completed",
        child.message or "completed",
        child=child.name,
        start_time=record.start_time or child.start_time,
        completion_time=child.end_time or situation.now,
        gpu_seconds=record.gpu_seconds + _gpu_seconds(situation, child),
        progress=_finished_progress(situation.progress or record.progress),
        output=f"{WORKSPACE_PREFIX}{output.as_posix()}",
        retry_time=None,
        last_checkpoint=child.last_checkpoint,
    )


def _finished_progress(progress: Progress | None) -> Progress | None:
    # The last report may be some steps old; a stage that succeeded has done them all.
    return progress.model_copy(update={"step": progress.total_steps, "percent": 100, "seconds_left": 0}) if progress else None


def _failed(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    """Count a failure once, and only then let the next attempt be made: a crash in between loses no count."""
    exit_code = child.exit_code if child.exit_code is not None else 1
    kind = consequence(exit_code, child.reason)
    application = record.application_failures + (kind == "Application")
    infrastructure = record.infrastructure_failures + (kind == "Infrastructure")
    budget = _budget(situation)
    counted = {
        "failed_attempt": child.attempt,
        "application_failures": application,
        "infrastructure_failures": infrastructure,
        "gpu_seconds": record.gpu_seconds + _gpu_seconds(situation, child),
        "last_checkpoint": child.last_checkpoint,
        "child": child.name,
        "start_time": record.start_time or child.start_time,
        "progress": situation.progress or record.progress,
    }
    reason, message = child.reason or "Failed", child.message or f"the trainer ended with exit code {exit_code}"
    if kind == "Permanent" or application > budget:
        used_up = "" if kind == "Permanent" else f" (failure {application}, and {budget} are tried again)"
        status = _with(record, "Failed", reason, message + used_up, completion_time=situation.now, retry_time=None, **counted)
        return StageDecision(status, [child.attempt])
    delay = _delay_seconds(situation.settings, application if kind == "Application" else infrastructure)
    # A pod that was taken away cannot say what it saved; the next attempt finds it on the workspace.
    resumed = f" from step {child.last_checkpoint}" if child.last_checkpoint else ""
    budget_used = f", {application} of {budget} failures used" if kind == "Application" else ""
    message = f"attempt {child.attempt} ended: {message}; going on{resumed} in {delay:.0f} s{budget_used}"
    status = _with(record, "Restarting", reason, message, retry_time=situation.now + timedelta(seconds=delay), **counted)
    return StageDecision(status, [child.attempt], delay)


def _budget(situation: Situation) -> int:
    restart = situation.run.spec.restart
    return restart.application_failures if restart and restart.application_failures is not None else 0


def _delay_seconds(settings: Settings, failures: int) -> float:
    return min(settings.first_retry_delay_seconds * 2.0 ** max(failures - 1, 0), settings.longest_retry_delay_seconds)


def _halted(situation: Situation, record: StageStatus) -> StageDecision:
    if situation.halt == "DeadlineExceeded":
        message = (
            f"the job took longer than activeDeadlineSeconds ({situation.run.spec.active_deadline_seconds}); raise it to go on"
        )
        return StageDecision(_with(record, "Failed", situation.halt, message, completion_time=situation.now), [])
    update = {"progress": situation.progress or record.progress}
    stopping = next((child for child in situation.children if child.state in ("Pending", "Queued", "Running", "Stopping")), None)
    if stopping is None:
        begun = "from its last checkpoint" if record.attempts else "from the start"
        return StageDecision(_with(record, "Suspended", "Suspended", f"suspended; it will go on {begun}", **update), [])
    status = _with(record, "Running", "Suspending", "saving a checkpoint and stopping", child=stopping.name, **update)
    if stopping.state != "Stopping":
        status = status.model_copy(update={"gpu_seconds": record.gpu_seconds + _gpu_seconds(situation, stopping)})
    return StageDecision(status, [])


def _under_way(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    if child.fingerprint != situation.run.fingerprint:
        message = "the spec has changed; the attempt under the old one is stopped, and the next one follows"
        return StageDecision(_with(record, "Restarting", "SpecChanged", message), [])
    if child.state == "Pending" and child.rendering != situation.run.rendering(situation.settings):
        message = "the operator's settings have changed before the attempt began; it is replaced"
        return StageDecision(_with(record, "Restarting", "SettingsChanged", message), [])
    updates = {
        "child": child.name,
        "start_time": record.start_time or child.start_time,
        "progress": situation.progress or record.progress,
        "retry_time": None,
    }
    if situation.silence and child.state == "Running":
        return StageDecision(_with(record, "Running", "ProgressUnknown", situation.silence, **updates), [child.attempt])
    stall = situation.run.spec.restart.stall_timeout_seconds if situation.run.spec.restart else None
    if child.state == "Running" and stall is not None and child.start_time is not None:
        seen = [child.start_time] + ([situation.progress.updated_time] if situation.progress else [])
        left = (max(seen) + timedelta(seconds=stall) - situation.now).total_seconds()
        if left <= 0:
            return _stalled(situation, record.model_copy(update=updates), child, stall)
        return StageDecision(_with(record, "Running", None, None, **updates), [child.attempt], left)
    told = child.message or (_starting(child.attempt) if child.reason == "Starting" else None)
    return StageDecision(_with(record, child.state, child.reason or None, told, **updates), [child.attempt])


def _stalled(situation: Situation, record: StageStatus, child: Child, stall_seconds: int) -> StageDecision:
    message = f"no progress for {stall_seconds} s (restart.stallTimeoutSeconds)"
    stalled = replace(child, state="Failed", reason="Stalled", message=message, exit_code=1)
    decision = _failed(situation, record, stalled)
    return StageDecision(decision.status, [], decision.requeue_after_seconds)


def _next_attempt(situation: Situation, record: StageStatus, newest: Child | None) -> StageDecision:
    if record.state == "Restarting" and record.retry_time and record.retry_time > situation.now:
        left = (record.retry_time - situation.now).total_seconds()
        return StageDecision(record, [newest.attempt] if newest else [], left)
    if situation.children:
        # Two attempts would write to one folder: the earlier one goes first, with all its pods.
        return StageDecision(record, [])
    attempt = record.attempts + 1
    run = StageRun(situation.run.job, situation.run.spec, situation.run.stage, attempt)
    status = _with(record, "Pending", "Starting", _starting(attempt), attempts=attempt, child=run.name, retry_time=None)
    return StageDecision(status, [attempt])


def _starting(attempt: int) -> str:
    return f"attempt {attempt} is being started"
