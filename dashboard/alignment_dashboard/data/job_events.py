"""Reads what Kubernetes and the operator reported about a job; the local folder has no events."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from alignment_dashboard.data.source import source

MOST_EVENTS = 500
"""Kubernetes keeps events for an hour, and counts those that repeat, so a job has few."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Event(NamedTuple):
    """One event, and how often it happened."""

    time: datetime | None
    """When it happened last."""
    type: str
    """Normal or Warning."""
    reason: str
    message: str
    times: int


def read_events(namespace: str, job_uid: str) -> list[Event]:
    """Return the events of a job, the newest first. Raises ApiFailure."""
    if source() == "folder":
        return []
    # The Kubernetes client is slow to import, and the local folder does not need it.
    from alignment_dashboard.data.cluster_api import EVENTS, ClusterApi

    query = {"fieldSelector": f"involvedObject.uid={job_uid}", "limit": str(MOST_EVENTS)}
    with closing(ClusterApi(namespace, EVENTS)) as api:
        found = api.list(query)["items"]
    events = [_event(item) for item in found if _field(item, "involvedObject", "uid") == job_uid]
    return sorted(events, key=lambda event: event.time or _LONG_AGO, reverse=True)


def _event(item: dict[str, Any]) -> Event:
    """Read an event, whichever of the two ways its writer used to count and to date it."""
    last = _field(item, "series", "lastObservedTime") or item.get("lastTimestamp") or item.get("eventTime")
    times = _field(item, "series", "count") or item.get("count")
    return Event(
        time=_time(last or _field(item, "metadata", "creationTimestamp")),
        type=str(item.get("type") or "Normal"),
        reason=str(item.get("reason") or ""),
        message=str(item.get("message") or ""),
        times=times if isinstance(times, int) else 1,
    )


def _field(item: dict[str, Any], part: str, name: str) -> Any:
    return (item.get(part) or {}).get(name)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
