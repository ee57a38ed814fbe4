"""What can be seen of a job, in the same words for pods and for processes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from alignment_api.job import Progress, TrackingStatus

ChildState = Literal["Pending", "Queued", "Running", "Stopping", "Succeeded", "Failed"]


@dataclass(frozen=True)
class Child:
    """One attempt of a stage, as it was last seen."""

    name: str
    uid: str
    stage: str
    attempt: int
    input_hash: str
    fingerprint: str
    state: ChildState
    rendering: str = ""
    """What the operator's own settings made of it; another one replaces a child only while that has not started."""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    last_checkpoint: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True)
class Report:
    """What is known of how far a job is."""

    stages: dict[str, Progress] = field(default_factory=dict)
    run_ids: dict[str, str] = field(default_factory=dict)
    tracking: TrackingStatus | None = None
    silence: str | None = None
    """Why nothing can be known at present: not to be taken for a lack of progress."""
