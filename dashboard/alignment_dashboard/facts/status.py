"""Turns a job's status into words, signs and colours; pure, and the same on every page."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from alignment_api.durations import readable_duration
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED, AlignmentJobStatus, Phase, Progress, StageState, StageStatus

from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.facts.branches import branches_of, depths
from alignment_dashboard.units import write_duration

Colour = Literal["blue", "green", "red", "orange", "gray"]
QUIET_SECONDS = 1_800
"""A running stage needs attention after this long without progress, unless the job sets stallTimeoutSeconds."""

UNSEEN_SECONDS = 60
"""A job needs attention if the operator writes no status for this long after its creation."""


class Badge(NamedTuple):
    """How a state looks: a sign, a word and a colour, so that a reader who cannot see one has the others."""

    sign: str
    word: str
    colour: Colour

    @property
    def label(self) -> str:
        """Return the sign and the word."""
        return f"{self.sign} {self.word}"


BADGES: dict[str, Badge] = {
    "Waiting": Badge("○", "Waiting", "gray"),
    "Pending": Badge("◌", "Pending", "gray"),
    "Queued": Badge("≡", "Queued", "gray"),
    "Running": Badge("▶", "Running", "blue"),
    "Restarting": Badge("↻", "Restarting", "orange"),
    "Suspended": Badge("‖", "Suspended", "gray"),
    "Succeeded": Badge("✓", "Succeeded", "green"),
    "Failed": Badge("✕", "Failed", "red"),
}
BEGUN: tuple[StageState, ...] = ("Running", "Restarting", "Suspended", "Succeeded", "Failed")
"""States of a stage that may have measured something."""

SILENT, UNSEEN = "Silent", "Unseen"
"""Reasons that no status has: the dashboard notices them."""

_NOTEWORTHY = ("InvalidSpec", "NodeNotReady", "ProgressUnknown")
"""Reasons that need attention although the job continues."""


class Attention(NamedTuple):
    """Why a job needs attention."""

    colour: Colour
    reason: str
    message: str


def status_of(job: AlignmentJob) -> AlignmentJobStatus:
    """Return the status; an empty one if the operator has written none yet."""
    return job.status or AlignmentJobStatus()


def phase_of(job: AlignmentJob) -> Phase:
    """Return the phase; Pending if the operator has written none yet."""
    return status_of(job).phase or "Pending"


def stages_of(job: AlignmentJob) -> list[StageStatus]:
    """Return all stages; a stage without a status is Waiting."""
    seen = {stage.name: stage for stage in status_of(job).stages or []}
    named = [stage.name for stage in job.spec.stages or []] or list(seen)
    return [seen.get(name) or StageStatus(name=name, state="Waiting") for name in named]


def stage_of(job: AlignmentJob, name: str) -> StageStatus | None:
    """Return the stage with a name, or None."""
    return next((stage for stage in stages_of(job) if stage.name == name), None)


def started_at(job: AlignmentJob) -> datetime | None:
    """Return when the first stage started, or else when the job was created."""
    return status_of(job).start_time or job.metadata.creation_timestamp


def model_of(job: AlignmentJob) -> str | None:
    """Return the model that a job trains, as far as its status or its spec names it."""
    return status_of(job).model or (job.spec.model.uri if job.spec.model else None)


def current_stages(job: AlignmentJob) -> list[StageStatus]:
    """Return the current stages, or else the last one that started."""
    names = (status_of(job).current_stage or "").split(", ")
    started = [stage for stage in stages_of(job) if stage.state != "Waiting"]
    return [stage for stage in stages_of(job) if stage.name in names] or started[-1:]


def current_stage(job: AlignmentJob) -> StageStatus | None:
    """Return the first of the current stages that runs, or else the first of them."""
    current = current_stages(job)
    return next((stage for stage in current if stage.state == "Running"), current[0] if current else None)


def percent_of(job: AlignmentJob) -> int | None:
    """Return how much of all stages is done, in percent."""
    digits = (status_of(job).progress or "").removesuffix("%")
    if digits.isdigit():
        return min(100, int(digits))
    return 100 if phase_of(job) == "Succeeded" else None


def gpu_hours(job: AlignmentJob, now: datetime) -> float | None:
    """Return the GPU time so far; the status counts an attempt when it ends, so a stage's running first attempt is added."""
    status, current = status_of(job), current_stages(job)
    if status.gpu_seconds is None and status.gpus is None:
        return None
    known, running = branches_of(job), 0.0
    for stage in current:
        if stage.state == "Running" and stage.attempts == 1 and not stage.gpu_seconds and stage.start_time:
            gpus = known[stage.name].gpus if len(current) > 1 and stage.name in known else status.gpus or 0
            running += gpus * (now - stage.start_time).total_seconds()
    return ((status.gpu_seconds or 0) + running) / 3600


def time_left(job: AlignmentJob, now: datetime) -> str | None:
    """Write the time left in the current stages, counted from now; a stage that makes no progress has none."""
    status = status_of(job)
    if phase_of(job) != "Running" or _silent(job, now):
        return None
    if status.estimated_completion_time is None:
        return status.eta
    left = (status.estimated_completion_time - now).total_seconds()
    return write_duration(left) if left > 0 else "any moment"


def write_stages(job: AlignmentJob) -> str:
    """Write all stages as one line: ✓ sft  →  ▶ dpo-a 62%, ▶ dpo-b 30%; what stands before an arrow must end before."""
    known, ranks = depths(job) or {}, dict[int, list[str]]()
    for index, stage in enumerate(stages_of(job)):
        ranks.setdefault(known.get(stage.name, index), []).append(_write_stage(stage))
    return "  →  ".join(", ".join(ranks[rank]) for rank in sorted(ranks)) or "–"


def _write_stage(stage: StageStatus) -> str:
    share = f" {stage.progress.percent}%" if stage.progress and stage.state not in ENDED else ""
    return f"{BADGES[stage.state].sign} {stage.name}{share}"


def write_reason(reason: str | None, message: str | None) -> str:
    """Join a reason and its message; either may be missing."""
    return ": ".join(part for part in (reason, message) if part)


def attention(job: AlignmentJob, now: datetime, guidance: Guidance) -> Attention | None:
    """Return why a job needs attention, or None."""
    status, phase = status_of(job), phase_of(job)
    if _is_unseen(job, now) and guidance.unseen:
        return Attention("orange", UNSEEN, guidance.unseen)
    if phase in ("Failed", "Restarting"):
        return Attention(BADGES[phase].colour, status.reason or phase, status.message or _no_message(status))
    if status.reason in _NOTEWORTHY:
        return Attention("orange", status.reason, status.message or _no_message(status))
    return _attention_to_stage(job) or _attention_to_silence(job, now, guidance)


def _attention_to_stage(job: AlignmentJob) -> Attention | None:
    """Return why a stage needs attention although others go on."""
    wanted = ("Failed", "Restarting")
    found = sorted((stage for stage in stages_of(job) if stage.state in wanted), key=lambda stage: wanted.index(stage.state))
    found += [stage for stage in stages_of(job) if stage.reason in _NOTEWORTHY and stage.state == "Running"]
    if not found or phase_of(job) in ENDED:
        return None
    stage = found[0]
    return Attention(BADGES[stage.state].colour, stage.reason or stage.state, f"{stage.name}: {stage.message or stage.state}")


def _attention_to_silence(job: AlignmentJob, now: datetime, guidance: Guidance) -> Attention | None:
    for stage, silence in _silent(job, now):
        silent = silence.total_seconds()
        # Whole minutes: a sentence that changes every second would make the list of runs be sent again and again.
        return Attention(
            "orange",
            SILENT,
            f"Stage {stage.name} has reported no progress for "
            f"{readable_duration(silent if silent < 60 else silent // 60 * 60)}. {guidance.silence(job, stage.name)}",
        )
    return None


def _silent(job: AlignmentJob, now: datetime) -> list[tuple[StageStatus, timedelta]]:
    """Return the running stages that have made no progress for longer than they should, and for how long."""
    if phase_of(job) != "Running":
        return []
    limit = timedelta(seconds=(job.spec.restart and job.spec.restart.stall_timeout_seconds) or QUIET_SECONDS)
    working = [stage for stage in current_stages(job) if stage.state == "Running" and stage.reason != "Preparing"]
    last = [(stage, _last_progress(stage.progress, stage.start_time)) for stage in working]
    return [(stage, now - moment) for stage, moment in last if moment and now - moment > limit]


def _no_message(status: AlignmentJobStatus) -> str:
    names = status.current_stage
    where = f"{'stages' if ', ' in names else 'stage'} {names}" if names else "the operator"
    return f"The status has no message; read the logs of {where}."


def _is_unseen(job: AlignmentJob, now: datetime) -> bool:
    created = job.metadata.creation_timestamp
    return job.status is None and created is not None and now - created > timedelta(seconds=UNSEEN_SECONDS)


def _last_progress(progress: Progress | None, start: datetime | None) -> datetime | None:
    return max((moment for moment in (progress and progress.updated_time, start) if moment), default=None)
