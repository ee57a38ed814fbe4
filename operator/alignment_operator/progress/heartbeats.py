"""Asks the first pod of each running attempt for its progress, without MLflow; answers are bounded, as pods are not trusted."""

import asyncio
import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import aiohttp
from alignment_api.heartbeat import HEARTBEAT_PATH, HEARTBEAT_PORT, Activity, Heartbeat, activity_text, heartbeat_token
from alignment_api.progress.course import bounded_progress
from alignment_api.spec.status import Progress
from pydantic import ValidationError
from yarl import URL

from alignment_operator.deciding.observation import FirstPod, Pulse
from alignment_operator.deciding.untrusted import (
    Sightings,
    bounded_checkpoint,
    bounded_revision,
    bounded_time,
    bounded_warnings,
    printable,
)

_AT_ONCE = 100
_TIMEOUT_SECONDS = 3
_MOST_BYTES = 65_536
_KEPT_SECONDS = 3600
"""How long the last answer of a deleted pod is kept: its checkpoint counts in the decision about the next attempt."""
_LONGEST_AGE = timedelta(days=366)
_LONGEST_CAUSE = 160
_LARGEST_AMOUNT = 10**18


class _StageKey(NamedTuple):
    job_uid: str
    stage: str


@dataclass(frozen=True)
class _Answer:
    """The last answer of one attempt."""

    pulse: Pulse
    progress: Progress | None

    @property
    def shown(self) -> tuple[object, ...]:
        """Return the part that a status shows."""
        pulse = self.pulse
        return pulse.attempt, pulse.doing, pulse.last_checkpoint, pulse.model_revision, pulse.warnings, self.progress


class _NoHeartbeat(ValueError):
    """The pod's answer is not a heartbeat of this attempt."""


class Heartbeats:
    """The last answers of the first pods of running attempts."""

    def __init__(self, port: int = HEARTBEAT_PORT) -> None:
        self._port = port
        self._answers: dict[_StageKey, _Answer] = {}
        self._answering: set[_StageKey] = set()
        self._unheard: dict[_StageKey, str] = {}
        self._asked: dict[FirstPod, datetime] = {}
        self._sightings = Sightings()

    def pulses(self, job_uid: str) -> dict[str, Pulse]:
        """Return the last signs of life of a job's stages."""
        return {key.stage: answer.pulse for key, answer in self._answers.items() if key.job_uid == job_uid}

    def progress(self, job_uid: str) -> dict[str, Progress]:
        """Return the progress of a job's stages that their pods have reported."""
        return {key.stage: answer.progress for key, answer in self._answers.items() if key.job_uid == job_uid and answer.progress}

    def answering(self, job_uid: str) -> set[str]:
        """Return the stages of a job whose pod answered the last request."""
        return {key.stage for key in self._answering if key.job_uid == job_uid}

    def asked_since(self, job_uid: str) -> dict[str, datetime]:
        """Return since when the pod of each stage has been asked regularly."""
        return {pod.stage: since for pod, since in self._asked.items() if pod.job_uid == job_uid}

    def unheard(self, job_uid: str) -> dict[str, str]:
        """Return, for each stage of a job whose running pod did not answer the last request, why it did not."""
        return {key.stage: why for key, why in self._unheard.items() if key.job_uid == job_uid}

    @property
    def silent_count(self) -> int:
        """Return the number of running attempts whose pod did not answer."""
        return len(self._unheard)

    async def refresh(self, pods: list[FirstPod]) -> set[str]:
        """Ask all pods once, and return the uids of the jobs whose status changes by their answers."""
        slots = asyncio.Semaphore(_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        # A compressed answer could unpack to any size.
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            answers = await asyncio.gather(*(self._ask(session, slots, pod) for pod in pods))
        changed = {pod.job_uid for pod, answer in zip(pods, answers, strict=True) if self._take(pod, answer)}
        # A pod counts as silent only from the first request to it on.
        now = datetime.now(UTC)
        self._asked = {pod: self._asked.get(pod, now) for pod in pods}
        self._forget(pods)
        return changed

    async def _ask(self, session: aiohttp.ClientSession, slots: asyncio.Semaphore, pod: FirstPod) -> _Answer | str:
        """Return a pod's answer, or why there is none, so that a broken pod does not stop the others."""
        async with slots:
            try:
                beat = _read(await _fetch(session, pod, self._port), pod)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                return f"its pod does not answer at {_host(pod.address)}:{self._port} ({_cause(error)})"
        return self._answer(pod, beat, datetime.now(UTC))

    def _answer(self, pod: FirstPod, beat: Heartbeat, now: datetime) -> _Answer:
        moved = _on_our_clock(beat.progress_time, beat.time, now) if beat.progress_time else now
        updated = self._sightings.time_of(pod[:3], beat.progress_time or beat.step, moved)
        progress = None
        if beat.step is not None and beat.total_steps is not None:
            progress = bounded_progress(beat.step, beat.total_steps, beat.seconds_left, beat.metrics or {}, updated)
        return _Answer(
            Pulse(
                attempt=pod.attempt,
                heard_time=now,
                alive_time=_on_our_clock(beat.alive_time, beat.time, now),
                advanced_time=updated if beat.progress_time else None,
                has_stepped=beat.has_stepped,
                doing=_doing(beat.activity) if beat.activity else None,
                last_checkpoint=bounded_checkpoint(beat.last_checkpoint),
                model_revision=bounded_revision(beat.model_revision),
                warnings=None if beat.warnings is None else bounded_warnings(beat.warnings),
            ),
            progress,
        )

    def _take(self, pod: FirstPod, answer: _Answer | str) -> bool:
        key = _StageKey(pod.job_uid, pod.stage)
        known, was_unheard = self._answers.get(key), key in self._unheard
        if isinstance(answer, str):
            self._unheard[key] = answer
            if known and known.pulse.attempt != pod.attempt:
                del self._answers[key]
            return not was_unheard
        self._unheard.pop(key, None)
        self._answers[key] = answer
        return was_unheard or known is None or known.shown != answer.shown

    def _forget(self, pods: list[FirstPod]) -> None:
        asked = {_StageKey(pod.job_uid, pod.stage) for pod in pods}
        self._answering = asked - self._unheard.keys()
        since = datetime.now(UTC) - timedelta(seconds=_KEPT_SECONDS)
        self._answers = {key: answer for key, answer in self._answers.items() if key in asked or answer.pulse.heard_time > since}
        self._unheard = {key: why for key, why in self._unheard.items() if key in asked}
        self._sightings.keep_only({pod[:3] for pod in pods})


async def _fetch(session: aiohttp.ClientSession, pod: FirstPod, port: int) -> bytes:
    url = URL.build(scheme="http", host=str(ipaddress.ip_address(pod.address)), port=port, path=HEARTBEAT_PATH)
    headers = {"Authorization": f"Bearer {heartbeat_token(*pod[:3])}", "Accept-Encoding": "identity"}
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        if answer.status != 200:
            raise _NoHeartbeat(f"HTTP status {answer.status}")
        body = b""
        async for part in answer.content.iter_chunked(_MOST_BYTES):
            body += part
            if len(body) > _MOST_BYTES:
                raise _NoHeartbeat(f"its answer is larger than {_MOST_BYTES} bytes")
        return body


def _read(body: bytes, pod: FirstPod) -> Heartbeat:
    try:
        beat = Heartbeat.model_validate_json(body)
    except ValidationError as error:
        raise _NoHeartbeat("its answer is not a heartbeat") from error
    if (beat.job_uid, beat.stage, beat.attempt) != pod[:3]:
        raise _NoHeartbeat("its answer is about another attempt")
    return beat


def _on_our_clock(moment: datetime, pods_now: datetime | None, now: datetime) -> datetime:
    """Convert a time of the pod's clock to the operator's clock: as an age, if the pod sends its current time."""
    if pods_now is None:
        return bounded_time(moment, now)
    age = bounded_time(pods_now, datetime.max.replace(tzinfo=UTC)) - bounded_time(moment, datetime.max.replace(tzinfo=UTC))
    return now - min(max(age, timedelta()), _LONGEST_AGE)


def _doing(activity: Activity) -> str:
    amounts = (activity.done or 0, activity.total or 0)
    return printable(activity.what if max(amounts) > _LARGEST_AMOUNT else activity_text(activity))


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _cause(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_SECONDS} s"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return printable(str(error) or type(error).__name__)[:_LONGEST_CAUSE]
