"""Puts a job's status into words, signs and colours; pure, and the same on every page."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from alignment_api.metrics import HEADLINES
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, Phase, Progress, StageStatus

from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.units import write_duration

Colour = Literal["blue", "green", "red", "orange", "gray"]
QUIET_SECONDS = 1_800
"""A running stage that is silent for longer needs a look, where the job does not set stallTimeoutSeconds."""


UNSEEN_SECONDS = 60
"""A job that nobody has looked at for longer needs a look."""


class Badge(NamedTuple):
    """How a state looks: a sign, a word and a colour, so that none of them has to carry it alone."""

    sign: str
    word: str
    colour: Colour

    @property
    def label(self) -> str:
        """Give sign and word."""
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
ENDED = ("Succeeded", "Failed")
_NOTEWORTHY = ("InvalidSpec", "ProgressUnknown")
"""Reasons for which somebody should look at a job although it goes on."""


class Attention(NamedTuple):
    """Why somebody should look at a job."""

    colour: Colour
    reason: str
    message: str


def status_of(job: AlignmentJob) -> AlignmentJobStatus:
    """Give the status; a job that nobody has looked at yet has an empty one."""
    return job.status or AlignmentJobStatus()


def phase_of(job: AlignmentJob) -> Phase:
    """Give the phase; a job that nobody has looked at yet is pending."""
    return status_of(job).phase or "Pending"


def stages_of(job: AlignmentJob) -> list[StageStatus]:
    """Give all stages, those that have no status yet as waiting."""
    seen = {stage.name: stage for stage in status_of(job).stages or []}
    named = [stage.name for stage in job.spec.stages or []] or list(seen)
    return [seen.get(name) or StageStatus(name=name, state="Waiting") for name in named]


def current_stage(job: AlignmentJob) -> StageStatus | None:
    """Give the stage under way, or the last that began."""
    stages = stages_of(job)
    named = next((stage for stage in stages if stage.name == status_of(job).current_stage), None)
    begun = [stage for stage in stages if stage.state != "Waiting"]
    return named or (begun[-1] if begun else None)


def percent_of(job: AlignmentJob) -> int | None:
    """Give the share of all stages that is done."""
    digits = (status_of(job).progress or "").removesuffix("%")
    if digits.isdigit():
        return min(100, int(digits))
    return 100 if phase_of(job) == "Succeeded" else None


def time_left(job: AlignmentJob, now: datetime) -> str | None:
    """Write the time left in the current stage, counted from now rather than from when the status was written."""
    status = status_of(job)
    if phase_of(job) != "Running":
        return None
    if status.estimated_completion_time is None:
        return status.eta
    left = (status.estimated_completion_time - now).total_seconds()
    return write_duration(left) if left > 0 else "any moment"


def headlines(job: AlignmentJob) -> dict[str, float]:
    """Give the latest value of each metric that matters, from the last stage that has it."""
    known: dict[str, float] = {}
    for stage in stages_of(job):
        known |= (stage.progress.metrics or {}) if stage.progress else {}
    return {metric: known[metric] for metric in HEADLINES if metric in known}


def write_stages(job: AlignmentJob) -> str:
    """Write all stages as one line, such as ✓ sft  →  ▶ dpo 62%."""
    return "  →  ".join(_write_stage(stage) for stage in stages_of(job)) or "–"


def _write_stage(stage: StageStatus) -> str:
    share = f" {stage.progress.percent}%" if stage.progress and stage.state not in ENDED else ""
    return f"{BADGES[stage.state].sign} {stage.name}{share}"


def write_reason(reason: str | None, message: str | None) -> str:
    """Write why something is as it is: the word and the sentence, as far as they are known."""
    return ": ".join(part for part in (reason, message) if part)


def attention(job: AlignmentJob, now: datetime, guidance: Guidance) -> Attention | None:
    """Say why somebody should look at a job, or None."""
    status, phase = status_of(job), phase_of(job)
    if _is_unseen(job, now) and guidance.unseen:
        return Attention("orange", "Unseen", guidance.unseen)
    if phase in ("Failed", "Restarting"):
        said = status.message or f"The job says no more; see the output of {status.current_stage}."
        return Attention(BADGES[phase].colour, status.reason or phase, said)
    if status.reason in _NOTEWORTHY:
        return Attention("orange", status.reason, status.message or f"The job says no more; see {status.current_stage}.")
    stage = current_stage(job)
    if phase != "Running" or stage is None or status.reason == "Preparing":
        return None
    heard = _last_heard(stage.progress, stage.start_time)
    limit = (job.spec.restart and job.spec.restart.stall_timeout_seconds) or QUIET_SECONDS
    if heard is None or now - heard <= timedelta(seconds=limit):
        return None
    return Attention(
        "orange",
        "Silent",
        f"Stage {stage.name} has told nothing for {write_duration((now - heard).total_seconds())}. "
        f"{guidance.silence(job, stage.name)}",
    )


def _is_unseen(job: AlignmentJob, now: datetime) -> bool:
    created = job.metadata.creation_timestamp
    return job.status is None and created is not None and now - created > timedelta(seconds=UNSEEN_SECONDS)


def _last_heard(progress: Progress | None, start: datetime | None) -> datetime | None:
    return max((moment for moment in (progress and progress.updated_time, start) if moment), default=None)
