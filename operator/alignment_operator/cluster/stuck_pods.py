"""Why pods stay in their start, as the cluster's own Events tell it; they are asked for only while a child is stuck."""

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

# Together with the rounds, which come every 10 s, an Event is in the status within 30 s.
_STUCK_SECONDS = 10
# Who has been stuck for long is asked about every second round.
_NEW_SECONDS, _SELDOM_SECONDS = 120, 15
# One list answers for all that is stuck in a namespace: 1,000 children that wait cost no more than one.
_NAMESPACES_A_ROUND, _EVENTS_A_PAGE, _PAGES_A_NAMESPACE = 20, 500, 10
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
# Other Events of the kind Normal do not say that what went wrong before has been overcome.
_GOING_ON = ("Scheduled", "SuccessfulCreatePod", "Pulling", "Pulled", "Created", "Started")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

logger = logging.getLogger(__name__)


class Sentence(NamedTuple):
    """What is in the way, in one CamelCase word and in a sentence."""

    reason: str
    message: str


@dataclass
class _Stuck:
    """A child, the uids by which Events name the child and its pods, and what the newest Events say."""

    uids: frozenset[str]
    since: float
    sentence: Sentence | None = None


class StuckPods:
    """Children that are stuck, by their jobs, and what was last said about them."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self._stuck: dict[Key, dict[str, _Stuck]] = {}
        self._asked: dict[str, float] = {}
        self._troubles: dict[str, str | None] = {}

    def told(self, key: Key, children: list[Child], uids: Callable[[Child], Iterable[str]]) -> list[Child]:
        """Give a job's children with what is known to be in their way; those that are not starting any more are forgotten."""
        before, starting = self._stuck.pop(key, {}), [child for child in children if _is_starting(child)]
        if not starting:
            return children
        stuck = self._stuck[key] = {child.uid: before.get(child.uid) or _Stuck(frozenset(), monotonic()) for child in starting}
        for child in starting:
            stuck[child.uid].uids = frozenset([child.uid, *uids(child)])
        return [_with(child, stuck[child.uid].sentence) if child.uid in stuck else child for child in children]

    async def ask(self, is_mine: Callable[[Key], bool], now: datetime) -> set[Key]:
        """Read the Events of those that are stuck for a while; the answer names the jobs of which something else is said now."""
        news: set[Key] = set()
        for namespace in self._due():
            self._asked[namespace] = monotonic()
            jobs = [key for key in self._stuck if key.namespace == namespace]
            for key in [key for key in jobs if not is_mine(key)]:
                del self._stuck[key]
            if not any(key in self._stuck for key in jobs):
                continue
            trouble = None
            try:
                news |= self._take(namespace, await self._events(namespace), now)
            except ApiException as error:
                trouble = str(error)
            if trouble and trouble != self._troubles.get(namespace):
                logger.warning("why pods of namespace %s do not start cannot be read: %s", namespace, trouble)
            self._troubles[namespace] = trouble
        return news

    def _due(self) -> list[str]:
        """Name the namespaces to ask about in this round, those first that were asked longest ago."""
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
        """List a namespace's Events by the uid of the object that they are about."""
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
        news = set()
        for key, stuck in self._stuck.items():
            for child in stuck.values() if key.namespace == namespace else ():
                told = [event for uid in child.uids if uid in events for event in events[uid]]
                said = sentence_for(told, now) if told else None
                if said != child.sentence:
                    child.sentence = said
                    news.add(key)
        return news


def _is_starting(child: Child) -> bool:
    return (child.state, child.reason) == ("Pending", "Starting")


def _with(child: Child, sentence: Sentence | None) -> Child:
    return replace(child, reason=sentence.reason, message=sentence.message) if sentence else child


def sentence_for(events: list[Object], now: datetime) -> Sentence | None:
    """Choose the newest warning that its object has not gone on from, or else say which image is being pulled, and how long."""
    last = _last_of_each(events)
    warnings = [event for event in last if event.get("type") == "Warning"]
    if warnings:
        reason = max(warnings, key=_time).get("reason", "")
        # Of pods that say the same in turn, always the same one: each change is a write.
        first = min((event for event in warnings if event.get("reason", "") == reason), key=_name)
        message = one_line(f"{_name(first)}: {first.get('message', '')}")
        return Sentence(reason if _REASON.fullmatch(reason) else "Warning", message)
    pulling = min((event for event in last if event.get("reason") == "Pulling"), key=_time, default=None)
    return Sentence("PullingImage", _pulling(pulling, now)) if pulling else None


def _last_of_each(events: list[Object]) -> list[Object]:
    """Keep the last Event of each object: what an object has gone on from is past."""
    telling = [event for event in events if event.get("type") == "Warning" or event.get("reason") in _GOING_ON]
    ordered = sorted(telling, key=lambda event: (_time(event), event.get("type") == "Warning"))
    return list({event["involvedObject"].get("uid", ""): event for event in ordered}.values())


def _name(event: Object) -> str:
    return str(event["involvedObject"].get("name", ""))


def _pulling(event: Object, now: datetime) -> str:
    message = one_line(event.get("message", ""))
    minutes = (now - _time(event)) // timedelta(minutes=1)
    # By the minute, for each change is a write.
    since = f" for {minutes}m" if minutes > 0 else ""
    return f"{_name(event)}: {message[:1].lower()}{message[1:]}{since}"


def _time(event: Object) -> datetime:
    """Say when an Event came last, in whichever of the fields its author uses."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"), event.get("firstTimestamp"))
    told = next((time for time in times if time), None)
    return datetime.fromisoformat(told) if told else _LONG_AGO
