"""Decides about one stage: which attempt of it is wanted, and what its status says; pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from alignment_api.exit_codes import consequence
from alignment_api.names import MODEL_FOLDER, WORKSPACE_PREFIX
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.status import Progress, StageStatus

from alignment_operator.deciding.observation import GOING_ON, UNENDED, Child, Pulse
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.deciding.stall import Hearing, judge
from alignment_operator.settings import Settings

Halt = Literal["Suspended", "DeadlineExceeded"]


@dataclass(frozen=True)
class Situation:
    """All that the decision about a stage depends on."""

    run: StageRun
    previous: StageStatus | None
    children: list[Child]
    progress: Progress | None
    pulse: Pulse | None
    asked_since: datetime | None
    unheard: str | None
    silence: str | None
    may_run: bool
    halt: Halt | None
    refusal: str | None
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
        return StageDecision(_with(record, "Waiting", None, None, **_time_of_live(situation, record)), [])
    if record.state == "Failed":
        # A live attempt may be left where its deletion was not carried out.
        return StageDecision(record, [newest.attempt] if newest and newest.state in ("Failed", "Succeeded") else [])
    if situation.halt:
        return _halted(situation, record)
    if newest and newest.state in GOING_ON:
        if _counted(record, newest):
            return StageDecision(record, [])
        return _under_way(situation, record, newest)
    stopping = next((child for child in situation.children if child.state == "Stopping"), None)
    if stopping:
        message = stopping.message or "waiting for the previous attempt to end"
        return StageDecision(_with(record, "Restarting", "Stopping", message, **_time_spent(situation, record, stopping)), [])
    if situation.refusal:
        return StageDecision(_with(record, "Waiting", "InvalidSpec", situation.refusal), [newest.attempt] if newest else [])
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
            counted_attempt=previous.counted_attempt if previous else None,
            active_seconds=previous.active_seconds if previous else 0,
            gpu_seconds=previous.gpu_seconds if previous else 0,
            input_hash=run.input_hash,
            fingerprint=run.fingerprint,
        )
    record = previous.model_copy(update={"attempts": attempts, "input_hash": run.input_hash, "fingerprint": run.fingerprint})
    if situation.renewed and record.state in ("Failed", "Restarting"):
        record = record.model_copy(
            update={
                "state": "Restarting",
                "application_failures": 0,
                "infrastructure_failures": 0,
                "retry_time": situation.now,
                "completion_time": None,
            }
        )
    return record


def _newest(situation: Situation, record: StageStatus) -> Child | None:
    return next((child for child in situation.children if child.attempt == record.attempts), None)


def _counted(record: StageStatus, child: Child) -> bool:
    return record.failed_attempt is not None and record.failed_attempt >= child.attempt


def _with(record: StageStatus, state: str, reason: str | None, message: str | None, **others: object) -> StageStatus:
    return record.model_copy(update={"state": state, "reason": reason, "message": message, **others})


def _time_spent(situation: Situation, record: StageStatus, child: Child) -> dict[str, object]:
    """Add up an attempt that ends, once: the time in which all its containers ran."""
    if child.start_time is None or (record.counted_attempt or 0) >= child.attempt:
        return {}
    seconds = max(0, int(((child.end_time or situation.now) - child.start_time).total_seconds()))
    gpus = (situation.run.compute.nodes or 1) * (situation.run.compute.gpus_per_node or 0)
    return {
        "counted_attempt": child.attempt,
        "active_seconds": record.active_seconds + seconds,
        "gpu_seconds": record.gpu_seconds + seconds * gpus,
    }


def _live(situation: Situation) -> Child | None:
    return next((child for child in situation.children if child.state in UNENDED), None)


def _time_of_live(situation: Situation, record: StageStatus) -> dict[str, object]:
    live = _live(situation)
    return _time_spent(situation, record, live) if live else {}


def _succeeded(situation: Situation, record: StageStatus, child: Child) -> StageStatus:
    run = situation.run
    folder = run.folder_of(run.stage, "")
    output = folder / MODEL_FOLDER if KINDS[run.stage.kind].leaves == "Model" else folder
    return _with(
        record,
        "Succeeded",
        "Completed",
        child.message or "completed",
        child=child.name,
        child_uid=child.uid,
        start_time=record.start_time or child.start_time,
        completion_time=child.end_time or situation.now,
        progress=_finished_progress(situation.progress or record.progress),
        output=f"{WORKSPACE_PREFIX}{output.as_posix()}",
        retry_time=None,
        last_checkpoint=child.last_checkpoint,
        **_time_spent(situation, record, child),
    )


def _finished_progress(progress: Progress | None) -> Progress | None:
    # The last report may be some steps old; a stage that succeeded has done them all.
    return progress.model_copy(update={"step": progress.total_steps, "percent": 100, "seconds_left": 0}) if progress else None


def _failed(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    """Count a failure once, and only then let the next attempt be made: a crash in between loses no count."""
    exit_code = child.exit_code if child.exit_code is not None else 1
    kind = consequence(exit_code, child.reason)
    last_checkpoint = _last_checkpoint(situation, child)
    before = _forgiven(record) if _made_lasting_progress(situation, record, child, last_checkpoint) else record
    application = before.application_failures + (kind == "Application")
    infrastructure = before.infrastructure_failures + (kind == "Infrastructure")
    budget = _budget(situation)
    counted = {
        "failed_attempt": child.attempt,
        "application_failures": application,
        "infrastructure_failures": infrastructure,
        "last_checkpoint": last_checkpoint if last_checkpoint is not None else record.last_checkpoint,
        "child": child.name,
        "child_uid": child.uid,
        "start_time": record.start_time or child.start_time,
        "progress": situation.progress or record.progress,
        **_time_spent(situation, record, child),
    }
    reason, message = child.reason or "Failed", child.message or f"the trainer ended with exit code {exit_code}"
    if kind == "Permanent" or application > budget:
        used_up = "" if kind == "Permanent" else f" (failure {application}, and {budget} are tried again)"
        status = _with(record, "Failed", reason, message + used_up, completion_time=situation.now, retry_time=None, **counted)
        return StageDecision(status, [child.attempt])
    delay = _delay_seconds(situation.settings, application if kind == "Application" else infrastructure)
    # A pod that was taken away cannot say what it saved; the next attempt finds it on the workspace.
    resumed = f" from step {last_checkpoint}" if last_checkpoint else ""
    budget_used = f", {application} of {budget} failures used" if kind == "Application" else ""
    message = f"attempt {child.attempt} ended: {message}; going on{resumed} in {delay:.0f} s{budget_used}"
    status = _with(record, "Restarting", reason, message, retry_time=situation.now + timedelta(seconds=delay), **counted)
    return StageDecision(status, [child.attempt], delay)


def _last_checkpoint(situation: Situation, child: Child) -> int | None:
    """Give the newest checkpoint that an attempt told of: at its end, or in its last heartbeat."""
    pulse = situation.pulse
    told = [child.last_checkpoint, pulse.last_checkpoint if pulse and pulse.attempt == child.attempt else None]
    return max((step for step in told if step is not None), default=None)


def _made_lasting_progress(situation: Situation, record: StageStatus, child: Child, last_checkpoint: int | None) -> bool:
    """Say whether an attempt ran for long and left a newer checkpoint than it began with: what failed before it is overcome."""
    if child.start_time is None or last_checkpoint is None or last_checkpoint <= (record.last_checkpoint or 0):
        return False
    ran = (child.end_time or situation.now) - child.start_time
    return ran >= timedelta(seconds=_stall_timeout(situation) or 0)


def _forgiven(record: StageStatus) -> StageStatus:
    return record.model_copy(update={"application_failures": 0, "infrastructure_failures": 0})


def _stall_timeout(situation: Situation) -> int | None:
    restart = situation.run.spec.restart
    return restart.stall_timeout_seconds if restart else None


def _budget(situation: Situation) -> int:
    restart = situation.run.spec.restart
    return restart.application_failures if restart and restart.application_failures is not None else 0


def _delay_seconds(settings: Settings, failures: int) -> float:
    return min(settings.first_retry_delay_seconds * 2.0 ** max(failures - 1, 0), settings.longest_retry_delay_seconds)


def _halted(situation: Situation, record: StageStatus) -> StageDecision:
    live = _live(situation)
    update = {"progress": situation.progress or record.progress, **_time_of_live(situation, record)}
    if situation.halt == "DeadlineExceeded":
        seconds = situation.run.spec.active_deadline_seconds
        message = f"the job's containers ran longer than activeDeadlineSeconds ({seconds}); raise it to go on"
        status = _with(record, "Failed", situation.halt, message, completion_time=situation.now, **update)
        return StageDecision(status, [])
    if live is None:
        begun = "from its last checkpoint" if record.attempts else "from the start"
        return StageDecision(_with(record, "Suspended", "Suspended", f"suspended; it will go on {begun}", **update), [])
    return StageDecision(
        _with(record, "Running", "Suspending", "saving a checkpoint and stopping", child=live.name, **update), []
    )


def _under_way(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    if child.fingerprint != situation.run.fingerprint:
        message = "the spec has changed; the attempt under the old one is stopped, and the next one follows"
        status = _with(record, "Restarting", "SpecChanged", message, **_time_spent(situation, record, child))
        return StageDecision(status, [])
    if child.state == "Pending" and child.rendering != situation.run.rendering(situation.settings):
        message = "a Secret of the job or the operator's settings have changed before the attempt began; it is replaced"
        return StageDecision(_with(record, "Restarting", "SettingsChanged", message), [])
    updated = record.model_copy(
        update={
            "child": child.name,
            # While it waits, its name is proof enough, and not worth a write.
            "child_uid": child.uid if child.state == "Running" else record.child_uid,
            "start_time": record.start_time or child.start_time,
            "progress": situation.progress or record.progress,
            "retry_time": None,
        }
    )
    if child.state == "Running":
        return _running(situation, updated, child)
    told = child.message or (_starting(child.attempt) if child.reason == "Starting" else None)
    return StageDecision(_with(updated, child.state, child.reason or None, told), [child.attempt])


def _running(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    timeout = _stall_timeout(situation)
    interval = situation.settings.progress_interval_seconds
    hearing = Hearing(record.progress, situation.pulse, situation.asked_since, situation.unheard, situation.silence, interval)
    verdict = judge(child, hearing, timeout, situation.now)
    if verdict.kind == "Stalled":
        stalled = replace(child, state="Failed", reason="Stalled", message=verdict.message or "", exit_code=1)
        decision = _failed(situation, record, stalled)
        return StageDecision(decision.status, [], decision.requeue_after_seconds)
    if verdict.kind == "Unknown":
        status = _with(record, "Running", "ProgressUnknown", verdict.message)
    else:
        pulse = situation.pulse
        doing = pulse.doing if pulse and pulse.attempt == child.attempt else None
        status = _with(record, "Running", "Preparing" if doing else None, doing)
    return StageDecision(status, [child.attempt], verdict.seconds_left)


def _next_attempt(situation: Situation, record: StageStatus, newest: Child | None) -> StageDecision:
    if record.state == "Restarting" and record.retry_time and record.retry_time > situation.now:
        left = (record.retry_time - situation.now).total_seconds()
        return StageDecision(record, [newest.attempt] if newest else [], left)
    if situation.children:
        # Two attempts would write to one folder: the earlier one goes first, with all its pods.
        return StageDecision(record, [])
    attempt = record.attempts + 1
    run = replace(situation.run, attempt=attempt)
    status = _with(
        record, "Pending", "Starting", _starting(attempt), attempts=attempt, child=run.name, child_uid=None, retry_time=None
    )
    return StageDecision(status, [attempt])


def _starting(attempt: int) -> str:
    return f"attempt {attempt} is being started"
