"""Reads what Kubernetes and the operator reported about a job."""

from datetime import datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob


class Event(NamedTuple):
    """One event, and how often it happened."""

    time: datetime | None
    """When it happened last."""
    type: str
    """Normal or Warning."""
    reason: str
    message: str
    times: int


def read_events(_job: AlignmentJob) -> list[Event]:
    """Return the events of a job, the newest first; the local folder has none."""
    return []
