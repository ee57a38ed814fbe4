"""What can be seen of a job's children, in the same words for pods and for processes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    last_checkpoint: int | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
