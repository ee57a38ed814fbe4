"""Whether a failed attempt is retried, after which delay, and how failures are counted against the budget; pure."""

from datetime import timedelta
from typing import NamedTuple

from alignment_api.exit_codes import consequence
from alignment_api.spec.status import StageStatus

from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.running_time import counted_time
from alignment_operator.deciding.situation import Situation, StageDecision, changed
from alignment_operator.settings import Settings


class _Failures(NamedTuple):
    """How many attempts have failed since the last lasting progress."""

    application: int
    infrastructure: int


def is_counted(record: StageStatus, child: Child) -> bool:
    """Check whether the failure of an attempt is already in the stage's status."""
    return record.failed_attempt is not None and record.failed_attempt >= child.attempt


def after_failure(situation: Situation, record: StageStatus, child: Child) -> StageDecision:
    """Count a failure and decide about the next attempt; the count is written before that is created, so no crash loses it."""
    exit_code = child.exit_code if child.exit_code is not None else 1
    kind = consequence(exit_code, child.reason)
    checkpoint = _newest_checkpoint(situation, child)
    failures = _counted_failures(situation, record, child, kind, checkpoint)
    counted = _record_of(situation, record, child, failures, checkpoint)
    reason, message = child.reason or "Failed", child.message or f"the trainer ended with exit code {exit_code}"
    budget = _budget(situation)
    if kind == "Permanent" or failures.application > budget:
        if kind != "Permanent":
            message += f" (failure {failures.application}; restart.applicationFailures allows {budget})"
        status = changed(record, "Failed", reason, message, completion_time=situation.job.now, retry_time=None, **counted)
        return StageDecision(status, [child.attempt])
    delay = delay_seconds(situation.job.settings, failures.application if kind == "Application" else failures.infrastructure)
    # A pod that was removed from its node cannot report its last checkpoint; the next attempt finds it on the workspace.
    resumed = f" from {'row' if situation.writes_rows else 'step'} {checkpoint}" if checkpoint else ""
    budget_used = f", {failures.application} of {budget} failures used" if kind == "Application" else ""
    message = f"attempt {child.attempt} ended: {message}; retrying{resumed} in {delay:.0f} s{budget_used}"
    status = changed(record, "Restarting", reason, message, retry_time=situation.job.now + timedelta(seconds=delay), **counted)
    return StageDecision(status, [child.attempt], delay)


def delay_seconds(settings: Settings, failures: int) -> float:
    """Return the delay before the next attempt: it doubles with each failure, up to the longest."""
    return min(settings.first_retry_delay_seconds * 2.0 ** max(failures - 1, 0), settings.longest_retry_delay_seconds)


def _counted_failures(situation: Situation, record: StageStatus, child: Child, kind: str, checkpoint: int | None) -> _Failures:
    """Return the failures with this one; an attempt that made lasting progress clears those before it."""
    before = _Failures(record.application_failures, record.infrastructure_failures)
    if _made_lasting_progress(situation, record, child, checkpoint):
        before = _Failures(0, 0)
    application = before.application + 1 if kind == "Application" else before.application
    infrastructure = before.infrastructure + 1 if kind == "Infrastructure" else before.infrastructure
    return _Failures(application, infrastructure)


def _record_of(
    situation: Situation, record: StageStatus, child: Child, failures: _Failures, checkpoint: int | None
) -> dict[str, object]:
    return {
        "failed_attempt": child.attempt,
        "application_failures": failures.application,
        "infrastructure_failures": failures.infrastructure,
        "last_checkpoint": checkpoint if checkpoint is not None else record.last_checkpoint,
        "child": child.name,
        "child_uid": child.uid,
        "start_time": record.start_time or child.start_time,
        "progress": situation.progress or record.progress,
        **counted_time(situation, record, child),
    }


def _newest_checkpoint(situation: Situation, child: Child) -> int | None:
    """Return the newest checkpoint that an attempt reported, at its end or in its last heartbeat; a finished row is one too."""
    if situation.writes_rows:
        return situation.progress.step if situation.progress else None
    pulse = situation.pulse
    reported = [child.last_checkpoint, pulse.last_checkpoint if pulse and pulse.attempt == child.attempt else None]
    return max((step for step in reported if step is not None), default=None)


def _made_lasting_progress(situation: Situation, record: StageStatus, child: Child, checkpoint: int | None) -> bool:
    """Check whether an attempt ran at least as long as the stall timeout and left a newer checkpoint than it started from."""
    if child.start_time is None or checkpoint is None or checkpoint <= (record.last_checkpoint or 0):
        return False
    ran = (child.end_time or situation.job.now) - child.start_time
    return ran >= timedelta(seconds=situation.stall_timeout_seconds or 0)


def _budget(situation: Situation) -> int:
    restart = situation.run.spec.restart
    return restart.application_failures if restart and restart.application_failures is not None else 0
