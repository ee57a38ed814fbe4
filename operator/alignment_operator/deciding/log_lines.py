"""The lines that the operator logs when a status changes, one for each decision; pure."""

from alignment_api.spec.status import AlignmentJobStatus, StageStatus

from alignment_operator.deciding.untrusted import one_line

_LOGGED_PHASES = ("Succeeded", "Failed", "Suspended")


def log_lines(job: str, old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> list[str]:
    """Return the lines for a job, `NAMESPACE/NAME`; there are none if nothing has changed."""
    before = {stage.name: stage for stage in (old.stages if old else None) or []}
    lines = [
        _line(f"{job} {stage.name} {stage.attempts}", stage.state, stage.reason, _message(stage))
        for stage in new.stages or []
        if _stage_has_changed(before.get(stage.name), stage)
    ]
    if _job_has_changed(old, new):
        lines.append(_line(job, new.phase or "", new.reason, new.message))
    return lines


def _stage_has_changed(old: StageStatus | None, new: StageStatus) -> bool:
    if old is None:
        return new.state != "Waiting"
    return _decided(old) != _decided(new)


def _decided(stage: StageStatus) -> tuple[object, ...]:
    return stage.state, stage.reason, stage.attempts, stage.failed_attempt


def _job_has_changed(old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> bool:
    if new.reason == "InvalidSpec":
        return old is None or (old.reason, old.message) != (new.reason, new.message)
    return new.phase in _LOGGED_PHASES and (old is None or old.phase != new.phase)


def _message(stage: StageStatus) -> str | None:
    return f"{stage.message}; {stage.output}" if stage.state == "Succeeded" and stage.output else stage.message


def _line(subject: str, state: str, reason: str | None, message: str | None) -> str:
    why = f" ({reason})" if reason and reason != state else ""
    return one_line(f"{subject}: {state}{why}" + (f": {message}" if message else ""))
