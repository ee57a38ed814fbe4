"""Why pods do not start, from the cluster's own Events, which are listed only while a child is stuck."""

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import NamedTuple

from kubernetes.aio.client import ApiException

from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.resource_versions import Object
from alignment_operator.deciding.observation import Child, Key
from alignment_operator.deciding.untrusted import one_line

# A round runs every 10 s, so that an Event appears in the status within 30 s.
_STUCK_SECONDS = 10
# For children that have been stuck for long, Events are listed only every second round.
_NEW_SECONDS, _SELDOM_SECONDS = 120, 15
# One list serves all stuck children of a namespace: 1,000 of them cost no more requests than one.
_NAMESPACES_A_ROUND, _EVENTS_A_PAGE, _PAGES_A_NAMESPACE = 20, 500, 10
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
# Only these Normal Events show that an earlier problem is over.
_PROGRESS_REASONS = ("Scheduled", "SuccessfulCreatePod", "Pulling", "Pulled", "Created", "Started")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

logger = logging.getLogger(__name__)


class Obstacle(NamedTuple):
    """Why a pod does not start: one CamelCase word, and a sentence."""

    reason: str
    message: str


@dataclass
class _Stuck:
    """A stuck child: its uid and those of its pods, which Events name, and what keeps it from starting."""

    uids: frozenset[str]
    since: float
    obstacle: Obstacle | None = None


class StuckPods:
    """Stuck children by job, and what keeps each from starting."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._stuck: dict[Key, dict[str, _Stuck]] = {}
        self._asked: dict[str, float] = {}
        self._errors: dict[str, str | None] = {}

    def explained(self, key: Key, children: list[Child], uids: Callable[[Child], Iterable[str]]) -> list[Child]:
        """Return a job's children with their obstacles; children that are no longer starting are forgotten."""
        before, starting = self._stuck.pop(key, {}), [child for child in children if _is_starting(child)]
        if not starting:
            return children
        stuck = self._stuck[key] = {child.uid: before.get(child.uid) or _Stuck(frozenset(), monotonic()) for child in starting}
        for child in starting:
            stuck[child.uid].uids = frozenset([child.uid, *uids(child)])
        return [_with(child, stuck[child.uid].obstacle) if child.uid in stuck else child for child in children]

    async def ask(self, is_mine: Callable[[Key], bool], now: datetime) -> set[Key]:
        """Read the Events of stuck children; return the jobs for which an obstacle has changed."""
        changed: set[Key] = set()
        for namespace in self._due():
            self._asked[namespace] = monotonic()
            jobs = [key for key in self._stuck if key.namespace == namespace]
            for key in [key for key in jobs if not is_mine(key)]:
                del self._stuck[key]
            if not any(key in self._stuck for key in jobs):
                continue
            message = None
            try:
                changed |= self._take(namespace, await self._events(namespace), now)
            except ApiException as error:
                message = str(error)
            if message and message != self._errors.get(namespace):
                logger.warning("cannot read why pods of namespace %s do not start: %s", namespace, message)
            self._errors[namespace] = message
        return changed

    def _due(self) -> list[str]:
        """Return the namespaces whose Events are listed in this round; first those that were listed longest ago."""
        now = monotonic()
        waits: dict[str, list[float]] = defaultdict(list)
        for key, stuck in self._stuck.items():
            waits[key.namespace] += [now - child.since for child in stuck.values() if now - child.since > _STUCK_SECONDS]
        self._asked = {namespace: self._asked.get(namespace, 0.0) for namespace, seconds in waits.items() if seconds}
        due = [
            namespace
            for namespace, asked in self._asked.items()
            if min(waits[namespace]) < _NEW_SECONDS or now - asked > _SELDOM_SECONDS
        ]
        return sorted(due, key=lambda namespace: self._asked[namespace])[:_NAMESPACES_A_ROUND]

    async def _events(self, namespace: str) -> dict[str, list[Object]]:
        """Return a namespace's Events by the uid of the object that they are about."""
        found: dict[str, list[Object]] = defaultdict(list)
        query = {"limit": str(_EVENTS_A_PAGE), "fieldSelector": "involvedObject.kind!=AlignmentJob"}
        for _ in range(_PAGES_A_NAMESPACE):
            listed = await self._api.get(f"/api/v1/namespaces/{namespace}/events", **query)
            for event in listed["items"]:
                found[event["involvedObject"].get("uid", "")].append(event)
            query["continue"] = listed["metadata"].get("continue", "")
            if not query["continue"]:
                break
        return found

    def _take(self, namespace: str, events: dict[str, list[Object]], now: datetime) -> set[Key]:
        changed = set()
        for key, stuck in self._stuck.items():
            for child in stuck.values() if key.namespace == namespace else ():
                found = [event for uid in child.uids if uid in events for event in events[uid]]
                obstacle = obstacle_in(found, now) if found else None
                if obstacle != child.obstacle:
                    child.obstacle = obstacle
                    changed.add(key)
        return changed


def _is_starting(child: Child) -> bool:
    return (child.state, child.reason) == ("Pending", "Starting")


def _with(child: Child, obstacle: Obstacle | None) -> Child:
    return replace(child, reason=obstacle.reason, message=obstacle.message) if obstacle else child


def obstacle_in(events: list[Object], now: datetime) -> Obstacle | None:
    """Return the newest warning without later progress, or else which image is being pulled and for how long."""
    last = _last_of_each(events)
    warnings = [event for event in last if event.get("type") == "Warning"]
    if warnings:
        reason = max(warnings, key=_time).get("reason", "")
        # Of pods with the same warning, always take the same one: each change costs a write of the status.
        first = min((event for event in warnings if event.get("reason", "") == reason), key=_name)
        message = one_line(f"{_name(first)}: {first.get('message', '')}")
        return Obstacle(reason if _REASON.fullmatch(reason) else "Warning", message)
    pulling = min((event for event in last if event.get("reason") == "Pulling"), key=_time, default=None)
    return Obstacle("PullingImage", _pulling(pulling, now)) if pulling else None


def _last_of_each(events: list[Object]) -> list[Object]:
    """Return the last Event of each object: progress makes its earlier warnings obsolete."""
    relevant = [event for event in events if event.get("type") == "Warning" or event.get("reason") in _PROGRESS_REASONS]
    ordered = sorted(relevant, key=lambda event: (_time(event), event.get("type") == "Warning"))
    return list({event["involvedObject"].get("uid", ""): event for event in ordered}.values())


def _name(event: Object) -> str:
    return str(event["involvedObject"].get("name", ""))


def _pulling(event: Object, now: datetime) -> str:
    message = one_line(event.get("message", ""))
    minutes = (now - _time(event)) // timedelta(minutes=1)
    # In whole minutes, because each change costs a write of the status.
    since = f" for {minutes}m" if minutes > 0 else ""
    return f"{_name(event)}: {message[:1].lower()}{message[1:]}{since}"


def _time(event: Object) -> datetime:
    """Return when an Event last happened; its source may use any of these fields."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    latest = next((time for time in times if time), None)
    return datetime.fromisoformat(latest) if latest else _LONG_AGO
