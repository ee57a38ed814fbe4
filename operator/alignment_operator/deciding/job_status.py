"""The status of a job from those of its stages: phase, conditions, and the columns of `kubectl get`; pure."""

from datetime import datetime

from alignment_api.durations import readable_duration
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.status import ENDED, AlignmentJobStatus, Condition, Phase, StageStatus, TrackingStatus

INVALID_SPEC = "InvalidSpec"


def is_finished(status: AlignmentJobStatus | None) -> bool:
    """Check whether the job has ended, so that only a change of its spec starts it again."""
    return status is not None and status.phase in ENDED


def summarize(
    job: AlignmentJob, spec: AlignmentJobSpec, stages: list[StageStatus], tracking: TrackingStatus | None, now: datetime
) -> AlignmentJobStatus:
    """Derive a job's status from the statuses of its stages."""
    old = job.status or AlignmentJobStatus()
    current = next((stage for stage in stages if stage.state != "Succeeded"), stages[-1])
    phase, reason, message = _phase(stages, current)
    finished = phase in ENDED
    generation = job.metadata.generation
    gpus = next(
        (compute.nodes or 1) * (compute.gpus_per_node or 0)
        for compute in (spec.compute_of(stage) for stage in spec.stages or [] if stage.name == current.name)
    )
    left = current.progress.seconds_left if current.progress and current.state == "Running" else None
    starts = [stage.start_time for stage in stages if stage.start_time]
    return AlignmentJobStatus(
        observed_generation=generation,
        conditions=_conditions(old, phase, reason, message, generation, now),
        phase=phase,
        reason=reason,
        message=message,
        current_stage=current.name,
        progress=f"{sum(_percent(stage) for stage in stages) // len(stages)}%",
        eta=readable_duration(left) if left is not None else None,
        estimated_completion_time=_estimated_end(current, left),
        model=spec.model.uri if spec.model else None,
        gpus=gpus,
        gpu_seconds=sum(stage.gpu_seconds for stage in stages),
        start_time=min(starts) if starts else None,
        completion_time=(old.completion_time if is_finished(old) and old.phase == phase else now) if finished else None,
        tracking=tracking,
        stages=stages,
    )


def refused(job: AlignmentJob, status: AlignmentJobStatus, message: str, is_under_way: bool, now: datetime) -> AlignmentJobStatus:
    """Return the status of a job whose newest edit cannot run: a running attempt continues, and nothing new starts."""
    old, generation = job.status or AlignmentJobStatus(), job.metadata.generation
    phase: Phase = (status.phase or "Pending") if is_under_way else "Failed"
    ended = {"eta": None, "estimated_completion_time": None, "completion_time": _refusal_time(old, now)}
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": phase,
            "reason": INVALID_SPEC,
            "message": message,
            "conditions": _conditions(old, phase, INVALID_SPEC, message, generation, now),
            **({} if is_under_way else ended),
        }
    )


def _refusal_time(old: AlignmentJobStatus, now: datetime) -> datetime:
    return old.completion_time if old.reason == INVALID_SPEC and old.completion_time else now


def held_back(job: AlignmentJob, wanted: AlignmentJobStatus, reason: str, message: str, now: datetime) -> AlignmentJobStatus:
    """Return the status of a job whose next child was refused; the attempt does not count, since it was never created."""
    recorded = {stage.name: stage.attempts for stage in (job.status.stages if job.status else None) or []}
    stages = [
        stage.model_copy(
            update={
                "attempts": recorded.get(stage.name, 0),
                "child": None,
                "state": "Pending",
                "reason": reason,
                "message": message,
            }
        )
        if stage.name == wanted.current_stage
        else stage
        for stage in wanted.stages or []
    ]
    sentence = f"{wanted.current_stage}: {message}"
    conditions = _conditions(job.status or AlignmentJobStatus(), "Pending", reason, sentence, wanted.observed_generation, now)
    return wanted.model_copy(
        update={"stages": stages, "phase": "Pending", "reason": reason, "message": sentence, "conditions": conditions}
    )


def _percent(stage: StageStatus) -> int:
    if stage.state == "Succeeded":
        return 100
    return stage.progress.percent if stage.progress else 0


def _phase(stages: list[StageStatus], current: StageStatus) -> tuple[Phase, str, str]:
    if all(stage.state == "Succeeded" for stage in stages):
        return "Succeeded", "Completed", f"all {len(stages)} stages succeeded" if len(stages) > 1 else "the stage succeeded"
    default = {"Running": "Training", "Pending": "Starting", "Queued": "Queued", "Waiting": "Starting"}
    phase: Phase = "Pending" if current.state == "Waiting" else current.state
    reason = current.reason or default.get(current.state, current.state)
    return phase, reason, _message_of(current)


def _message_of(stage: StageStatus) -> str:
    if stage.message is None:
        return f"{stage.name} is {stage.state.lower()}"
    # A message that begins with a field of the spec needs no stage before it.
    return stage.message if stage.message.startswith("spec.") else f"{stage.name}: {stage.message}"


def _estimated_end(current: StageStatus, left: int | None) -> datetime | None:
    if left is None or current.progress is None:
        return None
    return datetime.fromtimestamp(round(current.progress.updated_time.timestamp() + left), current.progress.updated_time.tzinfo)


def _conditions(
    old: AlignmentJobStatus, phase: str, reason: str, message: str, generation: int | None, now: datetime
) -> list[Condition]:
    truths = {
        "Suspended": phase == "Suspended",
        "Progressing": phase in ("Pending", "Queued", "Running", "Restarting"),
        "Complete": phase == "Succeeded",
        "Failed": phase == "Failed",
    }
    return [_condition(old, kind, truth, reason, message, generation, now) for kind, truth in truths.items()]


def _condition(
    old: AlignmentJobStatus, kind: str, truth: bool, reason: str, message: str, generation: int | None, now: datetime
) -> Condition:
    status = "True" if truth else "False"
    before = next((condition for condition in old.conditions or [] if condition.type == kind), None)
    since = before.last_transition_time if before and before.status == status else now
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )
