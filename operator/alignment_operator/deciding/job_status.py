"""The status of a job from those of its stages: phase, conditions, and the columns of `kubectl get`; pure."""

from datetime import datetime

from alignment_api.durations import readable_duration
from alignment_api.spec.batch import gpus_of
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.status import (
    ENDED,
    UNDER_WAY,
    AlignmentJobStatus,
    Condition,
    Phase,
    Progress,
    StageState,
    StageStatus,
    TrackingStatus,
)

from alignment_operator.deciding.observation import NODE_NOT_READY
from alignment_operator.deciding.turns import LOST

INVALID_SPEC = "InvalidSpec"
_LEADING: tuple[StageState, ...] = ("Running", "Restarting", "Pending", "Queued", "Suspended", "Waiting", "Failed")
_MESSAGE_MAXIMUM = 4096


def is_finished(status: AlignmentJobStatus | None) -> bool:
    """Check whether the job has ended, so that only a change of its spec starts it again."""
    return status is not None and status.phase in ENDED


def summarize(
    job: AlignmentJob, spec: AlignmentJobSpec, stages: list[StageStatus], tracking: TrackingStatus | None, now: datetime
) -> AlignmentJobStatus:
    """Derive a job's status from the statuses of its stages."""
    old = job.status or AlignmentJobStatus()
    current = _current(stages)
    phase, reason, message = _phase(stages, current)
    finished = phase in ENDED
    generation = job.metadata.generation
    running = [stage for stage in current if stage.state == "Running"]
    starts = [stage.start_time for stage in stages if stage.start_time]
    return AlignmentJobStatus(
        observed_generation=generation,
        conditions=_conditions(old, phase, reason, message, generation, now),
        phase=phase,
        reason=reason,
        message=message,
        current_stage=", ".join(stage.name for stage in current),
        progress=f"{sum(_percent(stage) for stage in stages) // len(stages)}%",
        eta=_eta(running),
        estimated_completion_time=_estimated_end(running),
        model=spec.model.uri if spec.model else None,
        gpus=_gpus(spec, running or current),
        gpu_seconds=sum(stage.gpu_seconds for stage in stages),
        start_time=min(starts) if starts else None,
        completion_time=(old.completion_time if is_finished(old) and old.phase == phase else now) if finished else None,
        tracking=tracking,
        stages=stages,
    )


def _current(stages: list[StageStatus]) -> list[StageStatus]:
    """Return the stages under way, or else those that failed, or else the next one, or else the last."""
    under_way = [stage for stage in stages if stage.state in UNDER_WAY]
    if under_way:
        return under_way
    waiting = [stage for stage in stages if stage.state == "Waiting" and stage.reason not in LOST]
    failed = [stage for stage in stages if stage.state == "Failed"]
    return waiting[:1] or failed or stages[-1:]


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


def held_back(
    job: AlignmentJob, spec: AlignmentJobSpec, wanted: AlignmentJobStatus, refusals: dict[str, tuple[str, str]], now: datetime
) -> AlignmentJobStatus:
    """Return the status where children were refused, with reason and message by stage: no such attempt was ever created."""
    recorded = {stage.name: stage.attempts for stage in (job.status.stages if job.status else None) or []}
    stages = [
        stage.model_copy(
            update={
                "attempts": recorded.get(stage.name, 0),
                "child": None,
                "state": "Pending",
                "reason": refusals[stage.name][0],
                "message": refusals[stage.name][1],
            }
        )
        if stage.name in refusals
        else stage
        for stage in wanted.stages or []
    ]
    kept = {name: getattr(wanted, name) for name in ("record", "model_revision", "warnings")}
    return summarize(job, spec, stages, wanted.tracking, now).model_copy(update=kept)


def _percent(stage: StageStatus) -> int:
    if stage.state == "Succeeded":
        return 100
    return stage.progress.percent if stage.progress else 0


def _phase(stages: list[StageStatus], current: list[StageStatus]) -> tuple[Phase, str, str]:
    if all(stage.state == "Succeeded" for stage in stages):
        return "Succeeded", "Completed", f"all {len(stages)} stages succeeded" if len(stages) > 1 else "the stage succeeded"
    # Of stages side by side, the one that gets on best tells how the job is; the message has all of them.
    leading = min(current, key=lambda stage: _LEADING.index(stage.state))
    default = {"Running": "Training", "Pending": "Starting", "Queued": "Queued", "Waiting": "Starting"}
    phase: Phase = "Pending" if leading.state == "Waiting" else leading.state
    failed = [stage for stage in stages if stage.state == "Failed" and stage not in current]
    return phase, leading.reason or default.get(leading.state, leading.state), _joined([*current, *failed])


def _joined(stages: list[StageStatus]) -> str:
    message = "; ".join(map(_message_of, stages))
    return message if len(message) <= _MESSAGE_MAXIMUM else f"{message[: _MESSAGE_MAXIMUM - 1]}…"


def _message_of(stage: StageStatus) -> str:
    if stage.message is None:
        return f"{stage.name} is {stage.state.lower()}"
    # A message that begins with a field of the spec needs no stage before it.
    return stage.message if stage.message.startswith("spec.") else f"{stage.name}: {stage.message}"


def _gpus(spec: AlignmentJobSpec, stages: list[StageStatus]) -> int:
    names = {stage.name for stage in stages}
    return sum(gpus_of(spec.compute_of(stage)) for stage in spec.stages or [] if stage.name in names)


def _eta(running: list[StageStatus]) -> str | None:
    left = [progress.seconds_left or 0 for progress in _with_an_end(running)]
    return readable_duration(max(left)) if left else None


def _with_an_end(running: list[StageStatus]) -> list[Progress]:
    """Return the progress of the stages whose end can be estimated; a stage on a silent node has none."""
    known = [stage.progress for stage in running if stage.progress and stage.reason != NODE_NOT_READY]
    return [progress for progress in known if progress.seconds_left is not None]


def _estimated_end(running: list[StageStatus]) -> datetime | None:
    known = _with_an_end(running)
    ends = [progress.updated_time.timestamp() + (progress.seconds_left or 0) for progress in known]
    return datetime.fromtimestamp(round(max(ends)), known[0].updated_time.tzinfo) if ends else None


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
