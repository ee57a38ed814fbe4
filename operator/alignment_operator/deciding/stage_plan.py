"""Decides about one stage: which of its attempts should exist, and its new status; pure."""

from dataclasses import replace

from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.progress.asked import asked_so_far
from alignment_api.spec.status import Progress, StageStatus

from alignment_operator.deciding.observation import LIVE, Child
from alignment_operator.deciding.retries import after_failure, is_counted
from alignment_operator.deciding.running_time import counted_time, counted_time_of_unended
from alignment_operator.deciding.situation import Situation, StageDecision, changed, unended_child
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.deciding.stall import Evidence, judge


def decide(situation: Situation) -> StageDecision:
    """Decide about a stage from its recorded status and its observed attempts."""
    record = _recorded(situation)
    newest = _newest(situation, record)
    if record.state == "Succeeded":
        return StageDecision(record, [newest.attempt] if newest else [])
    if newest and newest.state == "Succeeded" and _has_result(situation, newest):
        return StageDecision(_succeeded(situation, record, newest), [newest.attempt])
    if newest and newest.state == "Failed" and newest.input_hash == record.input_hash and not is_counted(record, newest):
        return after_failure(situation, record, newest)
    if record.state == "Failed":
        # An attempt that still runs was to be deleted, but the deletion failed; it is deleted now.
        return StageDecision(record, [newest.attempt] if newest and newest.state in ("Failed", "Succeeded") else [])
    if not situation.turn.may_run:
        return _waiting(situation, record)
    if situation.job.halt:
        return _halted(situation, record)
    if newest and newest.state in LIVE:
        if is_counted(record, newest):
            return StageDecision(record, [])
        return _under_way(situation, record, newest)
    stopping = next((child for child in situation.children if child.state == "Stopping"), None)
    if stopping:
        message = stopping.message or "waiting for the previous attempt to end"
        return StageDecision(changed(record, "Restarting", "Stopping", message, **counted_time(situation, record, stopping)), [])
    if situation.job.refusal:
        return StageDecision(changed(record, "Waiting", "InvalidSpec", situation.job.refusal), [newest.attempt] if newest else [])
    return _next_attempt(situation, record, newest)


def _has_result(situation: Situation, child: Child) -> bool:
    """Return whether an attempt that succeeded has done all that the stage asks for; an older one knew other destinations."""
    run = situation.run
    return child.input_hash == run.input_hash and (not situation.exports or child.fingerprint == run.fingerprint)


def _recorded(situation: Situation) -> StageStatus:
    """Return the stage's earlier status, or a new one if its inputs have changed since."""
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
    if situation.job.renewed and record.state in ("Failed", "Restarting"):
        # What the last attempt asked for may be in the edit.
        return _again(situation, record, f"{_edit(previous, run)}it is tried again")
    if situation.is_republished and record.state == "Succeeded":
        return _again(
            situation, record, "its destinations or limits were edited; what it has written is checked and copied again"
        )
    return record


def _again(situation: Situation, record: StageStatus, message: str) -> StageStatus:
    return record.model_copy(
        update={
            "state": "Restarting",
            "reason": "SpecChanged",
            "message": message,
            "application_failures": 0,
            "infrastructure_failures": 0,
            "retry_time": situation.job.now,
            "completion_time": None,
        }
    )


def _edit(previous: StageStatus, run: StageRun) -> str:
    """Return that the stage's settings were edited, if they were: on one machine, a failed job is also just run again."""
    is_edited = previous.fingerprint not in (None, run.fingerprint)
    return "the spec was edited after the last attempt failed; " if is_edited else ""


def _newest(situation: Situation, record: StageStatus) -> Child | None:
    return next((child for child in situation.children if child.attempt == record.attempts), None)


def _succeeded(situation: Situation, record: StageStatus, child: Child) -> StageStatus:
    run = situation.run
    return changed(
        record,
        "Succeeded",
        "Completed",
        child.message or "completed",
        child=child.name,
        child_uid=child.uid,
        start_time=record.start_time or child.start_time,
        completion_time=child.end_time or situation.job.now,
        progress=child.progress or _finished_progress(situation.progress or record.progress),
        output=f"{WORKSPACE_PREFIX}{run.output.as_posix()}",
        retry_time=None,
        last_checkpoint=child.last_checkpoint,
        warnings=_warnings(situation, record, child),
        **counted_time(situation, record, child),
    )


def _warnings(situation: Situation, record: StageStatus, child: Child) -> list[str] | None:
    """Return the newest report of what the training shows to be questionable, or else the recorded one."""
    pulse = situation.pulse
    running = pulse.warnings if pulse and pulse.attempt == child.attempt else None
    found = running if child.warnings is None else child.warnings
    return record.warnings if found is None else list(found) or None


def _finished_progress(progress: Progress | None) -> Progress | None:
    # The last heartbeat may be some steps old; a stage that succeeded has done all of them.
    return progress.model_copy(update={"step": progress.total_steps, "percent": 100, "seconds_left": 0}) if progress else None


def _waiting(situation: Situation, record: StageStatus) -> StageDecision:
    turn = situation.turn
    return StageDecision(changed(record, "Waiting", turn.reason, turn.message, **counted_time_of_unended(situation, record)), [])


def _halted(situation: Situation, record: StageStatus) -> StageDecision:
    unended = unended_child(situation)
    update = {"progress": situation.progress or record.progress, **counted_time_of_unended(situation, record)}
    if situation.job.halt == "DeadlineExceeded":
        seconds = situation.run.spec.active_deadline_seconds
        message = f"the job's containers ran longer than activeDeadlineSeconds ({seconds}); raise it to continue"
        status = changed(record, "Failed", situation.job.halt, message, completion_time=situation.job.now, **update)
        return StageDecision(status, [])
    if unended is None:
        rest = "continue with the rows that are left" if situation.writes_rows else "resume from its last checkpoint"
        message = f"suspended; it will {rest}" if record.attempts else "suspended before it started"
        return StageDecision(changed(record, "Suspended", "Suspended", message, **update), [])
    message = "keeping its answers and stopping" if situation.writes_rows else "saving a checkpoint and stopping"
    return StageDecision(changed(record, "Running", "Suspending", message, child=unended.name, **update), [])


def _under_way(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    if child.fingerprint != situation.run.fingerprint:
        message = "the spec changed; the attempt with the old spec is being stopped, and a new one follows"
        status = changed(record, "Restarting", "SpecChanged", message, **counted_time(situation, record, child))
        return StageDecision(status, [])
    if child.state == "Pending" and child.rendering != situation.run.rendering(situation.job.settings):
        message = "a Secret of the job or the operator's settings changed before the attempt started; it is being replaced"
        return StageDecision(changed(record, "Restarting", "SettingsChanged", message), [])
    updated = record.model_copy(
        update={
            "child": child.name,
            # The name identifies an attempt that waits; its uid would cost a write of the status.
            "child_uid": child.uid if child.state == "Running" else record.child_uid,
            "start_time": record.start_time or child.start_time,
            "progress": situation.progress or record.progress,
            "retry_time": None,
            "warnings": _warnings(situation, record, child),
        }
    )
    if child.state == "Running":
        return _running(situation, updated, child)
    starting = _starting(child.attempt) if child.reason == "Starting" else None
    status = changed(updated, child.state, child.reason or None, child.message or starting)
    return StageDecision(status, [child.attempt])


def _running(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    report, name = situation.job.report, situation.run.stage.name
    evidence = Evidence(
        progress=record.progress,
        pulse=situation.pulse,
        asked_since=report.asked_since.get(name),
        unheard=report.unheard.get(name),
        silence=report.silence,
        interval_seconds=situation.job.settings.progress_interval_seconds,
    )
    verdict = judge(child, evidence, situation.stall_timeout_seconds, situation.job.now)
    if verdict.kind == "Stalled":
        stalled = replace(child, state="Failed", reason="Stalled", message=verdict.message or "", exit_code=1)
        decision = after_failure(situation, record, stalled)
        return StageDecision(decision.status, [], decision.requeue_after_seconds)
    if child.reason:
        status = changed(record, "Running", child.reason, child.message)
    elif verdict.kind == "Unknown":
        status = changed(record, "Running", "ProgressUnknown", verdict.message)
    else:
        pulse = situation.pulse
        doing = pulse.doing if pulse and pulse.attempt == child.attempt else None
        status = changed(record, "Running", *_work(situation, record, doing))
    return StageDecision(status, [child.attempt], verdict.seconds_left)


def _work(situation: Situation, record: StageStatus, doing: str | None) -> tuple[str | None, str | None]:
    """Return in a word and a sentence what an attempt does; training steps need no words."""
    asked = ", ".join(asked_so_far(record.progress)) if record.progress else ""
    if situation.measures:
        return "MeasuringRows", ", ".join(part for part in (doing, asked) if part) or None
    if doing:
        return "Preparing", doing
    return "WritingRows" if situation.writes_rows else None, asked or None


def _next_attempt(situation: Situation, record: StageStatus, newest: Child | None) -> StageDecision:
    if record.state == "Restarting" and record.retry_time and record.retry_time > situation.job.now:
        left = (record.retry_time - situation.job.now).total_seconds()
        return StageDecision(record, [newest.attempt] if newest else [], left)
    if situation.children:
        # Two attempts would write to the same folder: the earlier one and its pods must be deleted first.
        return StageDecision(record, [])
    attempt = record.attempts + 1
    run = replace(situation.run, attempt=attempt)
    status = changed(
        record, "Pending", "Starting", _starting(attempt), attempts=attempt, child=run.name, child_uid=None, retry_time=None
    )
    return StageDecision(status, [attempt])


def _starting(attempt: int) -> str:
    return f"attempt {attempt} is being started"
