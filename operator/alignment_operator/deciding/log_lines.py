"""What the operator's log says of a change of status: each decision is one line; pure."""

from alignment_api.spec.status import AlignmentJobStatus, StageStatus

from alignment_operator.deciding.untrusted import one_line

_TOLD_PHASES = ("Succeeded", "Failed", "Suspended")


def decisions(job: str, old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> list[str]:
    """List what was decided about a job, `NAMESPACE/NAME`; the same status twice gives nothing."""
    before = {stage.name: stage for stage in (old.stages if old else None) or []}
    lines = [
        _line(f"{job} {stage.name} {stage.attempts}", stage.state, stage.reason, _said(stage))
        for stage in new.stages or []
        if _is_news(before.get(stage.name), stage)
    ]
    if _is_news_of_job(old, new):
        lines.append(_line(job, new.phase or "", new.reason, new.message))
    return lines


def _is_news(old: StageStatus | None, new: StageStatus) -> bool:
    if old is None:
        return new.state != "Waiting"
    return _decided(old) != _decided(new)


def _decided(stage: StageStatus) -> tuple[object, ...]:
    return stage.state, stage.reason, stage.attempts, stage.failed_attempt


def _is_news_of_job(old: AlignmentJobStatus | None, new: AlignmentJobStatus) -> bool:
    if new.reason == "InvalidSpec":
        return old is None or (old.reason, old.message) != (new.reason, new.message)
    return new.phase in _TOLD_PHASES and (old is None or old.phase != new.phase)


def _said(stage: StageStatus) -> str | None:
    return f"{stage.message}; {stage.output}" if stage.state == "Succeeded" and stage.output else stage.message


def _line(subject: str, state: str, reason: str | None, message: str | None) -> str:
    why = f" ({reason})" if reason and reason != state else ""
    return one_line(f"{subject}: {state}{why}" + (f": {message}" if message else ""))
