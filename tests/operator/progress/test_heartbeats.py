"""Pods are asked over real HTTP: a bad answer of one pod does not hide the others, and every number is bounded."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from alignment_api.heartbeat import HEARTBEAT_PATH, heartbeat_token
from alignment_api.metrics import LOSS
from alignment_operator.deciding.observation import FirstPod
from alignment_operator.progress import heartbeats as asking
from alignment_operator.progress.heartbeats import Heartbeats

Answer = Callable[[BaseHTTPRequestHandler], None]


def now() -> datetime:
    return datetime.now(UTC)


def text(moment: datetime) -> str:
    return moment.isoformat()


def a_beat(stage: str = "sft", attempt: int = 1, **others: Any) -> dict[str, Any]:
    return {
        "jobUid": "u1",
        "stage": stage,
        "attempt": attempt,
        "time": text(now()),
        "aliveTime": text(now()),
        "step": 3,
        "totalSteps": 10,
        "secondsLeft": 70,
        "progressTime": text(now()),
        "metrics": {LOSS: 0.5},
        **others,
    }


class Pods:
    """Pods at different addresses of this machine and one port, each with its own answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("0.0.0.0", 0), partial(_Handler, self))
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def say(self, address: str, beat: dict[str, Any] | str, token: str | None = None) -> None:
        """Answer as a trainer does: only to requests with the token of the attempt."""
        body = beat if isinstance(beat, str) else json.dumps(beat)
        stage, attempt = (beat["stage"], beat["attempt"]) if isinstance(beat, dict) else ("sft", 1)
        self.answers[address] = partial(_answer_to_token, body, token or heartbeat_token("u1", stage, attempt))


def _answer_to_token(body: str, token: str, handler: BaseHTTPRequestHandler) -> None:
    known = handler.headers["Authorization"] == f"Bearer {token}" and handler.path == HEARTBEAT_PATH
    _answer(200 if known else 401, body.encode() if known else b"", handler)


def _answer(status: int, body: bytes, handler: BaseHTTPRequestHandler, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, pods: Pods, *arguments: Any) -> None:
        self.pods = pods
        super().__init__(*arguments)

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        address = self.connection.getsockname()[0]
        with self.pods.lock:
            self.pods.asked.append(address)
            self.pods.at_once += 1
            self.pods.most_at_once = max(self.pods.most_at_once, self.pods.at_once)
        self.pods.answers[address](self)
        with self.pods.lock:
            self.pods.at_once -= 1


@pytest.fixture
def pods() -> Iterator[Pods]:
    made = Pods()
    yield made
    made.server.shutdown()
    made.server.server_close()


def first_pod(address: str = "127.0.0.1", stage: str = "sft", attempt: int = 1, job_uid: str = "u1") -> FirstPod:
    return FirstPod(job_uid, stage, attempt, address)


def ask(heartbeats: Heartbeats, *asked: FirstPod) -> set[str]:
    return asyncio.run(heartbeats.refresh(list(asked)))


def test_stages_side_by_side_are_asked_each_and_one_that_is_silent_hides_no_other(pods: Pods) -> None:
    heartbeats = Heartbeats(pods.port)
    pods.say("127.0.0.1", a_beat("dpo-a", step=3))
    pods.say("127.0.0.2", a_beat("dpo-b", attempt=2, step=7))
    both = (first_pod("127.0.0.1", "dpo-a"), first_pod("127.0.0.2", "dpo-b", 2))
    assert ask(heartbeats, *both) == {"u1"}
    assert {stage: known.step for stage, known in heartbeats.progress("u1").items()} == {"dpo-a": 3, "dpo-b": 7}
    pods.answers["127.0.0.1"] = partial(_answer, 500, b"")
    pods.say("127.0.0.2", a_beat("dpo-b", attempt=2, step=8))
    ask(heartbeats, *both)
    assert (heartbeats.answering("u1"), set(heartbeats.unheard("u1"))) == ({"dpo-b"}, {"dpo-a"})
    assert {stage: pulse.attempt for stage, pulse in heartbeats.pulses("u1").items()} == {"dpo-a": 1, "dpo-b": 2}


def test_an_answer_becomes_progress_and_a_pulse(pods: Pods) -> None:
    heartbeats = Heartbeats(pods.port)
    activity = {"what": "saving", "done": 3, "total": 15, "unit": "GB", "time": text(now())}
    known = {"lastCheckpoint": 2, "modelRevision": "a1b2", "warnings": ["a sentence"]}
    pods.say("127.0.0.1", a_beat(activity=activity, **known, hasStepped=True, ofANewerTrainer=1))
    assert ask(heartbeats, first_pod()) == {"u1"}
    progress = heartbeats.progress("u1")["sft"]
    assert (progress.step, progress.total_steps, progress.percent, progress.seconds_left) == (3, 10, 30, 70)
    assert progress.metrics == {LOSS: 0.5}
    pulse = heartbeats.pulses("u1")["sft"]
    assert (pulse.attempt, pulse.doing, pulse.last_checkpoint, pulse.model_revision) == (1, "saving: 3 of 15 GB", 2, "a1b2")
    assert (pulse.has_stepped, pulse.warnings) == (True, ("a sentence",))
    assert heartbeats.unheard("u1") == {} and heartbeats.pulses("another") == {}


def test_a_pod_with_an_ipv6_address_is_asked() -> None:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6

    made = Pods()
    made.server = Server(("::1", 0), partial(_Handler, made))
    threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    made.say("::1", a_beat())
    heartbeats = Heartbeats(made.server.server_port)
    assert ask(heartbeats, first_pod("::1")) == {"u1"}
    assert heartbeats.progress("u1")["sft"].step == 3
    made.server.shutdown()
    made.server.server_close()
    ask(heartbeats, first_pod("::1"))
    assert f"[::1]:{made.server.server_port}" in heartbeats.unheard("u1")["sft"]


@pytest.mark.parametrize(
    ("situation", "change", "queued"),
    [
        ("nothing new", {}, False),
        ("a sign of life, which no status shows", {"aliveTime": text(now() + timedelta(days=1))}, False),
        ("a step", {"step": 4}, True),
        ("an activity", {"activity": {"what": "saving", "time": text(now())}}, True),
        ("a checkpoint", {"lastCheckpoint": 3}, True),
    ],
)
def test_a_job_is_reconciled_when_its_status_would_change(
    pods: Pods, situation: str, change: dict[str, Any], queued: bool
) -> None:
    heartbeats, beat = Heartbeats(pods.port), a_beat()
    pods.say("127.0.0.1", beat)
    ask(heartbeats, first_pod())
    before = heartbeats.pulses("u1")["sft"].heard_time
    pods.say("127.0.0.1", {**beat, **change})
    assert ask(heartbeats, first_pod()) == ({"u1"} if queued else set()), situation
    assert heartbeats.pulses("u1")["sft"].heard_time > before


def test_times_of_the_pods_clock_are_read_as_ages(pods: Pods) -> None:
    heartbeats, clock = Heartbeats(pods.port), now() + timedelta(days=30)
    beat = {
        "time": text(clock),
        "aliveTime": text(clock - timedelta(seconds=50)),
        "progressTime": text(clock - timedelta(hours=1)),
    }
    pods.say("127.0.0.1", a_beat(**beat))
    ask(heartbeats, first_pod())
    pulse, progress = heartbeats.pulses("u1")["sft"], heartbeats.progress("u1")["sft"]
    assert pulse.heard_time - pulse.alive_time == timedelta(seconds=50)
    assert abs(pulse.heard_time - progress.updated_time - timedelta(hours=1)) <= timedelta(seconds=1)


def test_a_stall_is_seen_although_the_pods_clock_is_ahead(pods: Pods) -> None:
    heartbeats, ahead = Heartbeats(pods.port), text(now() + timedelta(days=3000))
    beat = a_beat(time=None, progressTime=ahead, aliveTime=ahead)
    pods.say("127.0.0.1", beat)
    ask(heartbeats, first_pod())
    first = heartbeats.progress("u1")["sft"].updated_time
    assert first <= now()
    time.sleep(1.1)
    assert ask(heartbeats, first_pod()) == set()
    assert heartbeats.progress("u1")["sft"].updated_time == first


ANSWERS: dict[str, tuple[Answer | dict[str, Any] | str, str]] = {
    "of another job": (a_beat(jobUid="u2"), "its answer is about another attempt"),
    "of another stage": (a_beat() | {"stage": "dpo"}, "its answer is about another attempt"),
    "of another attempt": (a_beat() | {"attempt": 2}, "its answer is about another attempt"),
    "no JSON": ("<html>", "its answer is not a heartbeat"),
    "deep JSON": ("[" * 30_000, "its answer is not a heartbeat"),
    "a step below zero": (a_beat(step=-1), "its answer is not a heartbeat"),
    "an attempt of twenty digits": (json.dumps(a_beat() | {"attempt": 10**20}), "its answer is about another attempt"),
    "not a number": (json.dumps(a_beat(metrics={LOSS: float("nan")})), "its answer is not a heartbeat"),
    "a lone surrogate": (a_beat(activity={"what": "\ud800", "time": text(now())}), "its answer is not a heartbeat"),
    "too much": ("x" * 70_000, "its answer is larger than 65536 bytes"),
    "not found": (partial(_answer, 404, b""), "HTTP status 404"),
    "elsewhere": (partial(_answer, 302, b"", Location="http://127.0.0.3/"), "HTTP status 302"),
    "broken off": (lambda handler: handler.connection.close(), ""),
    "no HTTP": (lambda handler: handler.wfile.write(b"\x00" * 10_000) and None, ""),
}


@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS)
def test_a_bad_answer_hides_no_other_pod(pods: Pods, answer: Answer | dict[str, Any] | str, words: str) -> None:
    if callable(answer):
        pods.answers["127.0.0.1"] = answer
    else:
        pods.say("127.0.0.1", answer, heartbeat_token("u1", "sft", 1))
    pods.say("127.0.0.2", a_beat("dpo"))
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, first_pod(), first_pod("127.0.0.2", "dpo"))
    assert list(heartbeats.pulses("u1")) == ["dpo"]
    unheard = heartbeats.unheard("u1")
    assert list(unheard) == ["sft"]
    assert unheard["sft"].startswith(f"its pod does not answer at 127.0.0.1:{pods.port} (")
    assert words in unheard["sft"] and len(unheard["sft"]) < 300
    assert "127.0.0.3" not in pods.asked


def test_the_token_of_another_attempt_is_refused(pods: Pods) -> None:
    pods.say("127.0.0.1", a_beat(), heartbeat_token("u1", "sft", 2))
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, first_pod())
    assert "HTTP status 401" in heartbeats.unheard("u1")["sft"]


@pytest.mark.parametrize(
    ("change", "progress"),
    [
        ({"step": 10**30}, (10, 10, 100, 70)),
        ({"secondsLeft": 10**30}, (3, 10, 30, 316_224_000)),
        ({"totalSteps": 10**30}, None),
        ({"step": None}, None),
        ({"lastCheckpoint": 10**30, "modelRevision": "a\nb"}, (3, 10, 30, 70)),
        ({"activity": {"what": "x\x1b[2J\u202e", "done": 10**40, "total": 1, "time": text(now())}}, (3, 10, 30, 70)),
        ({"aliveTime": "0001-01-01T00:00:00+14:00", "progressTime": "9999-12-31T23:59:59-14:00"}, (3, 10, 30, 70)),
        ({"aliveTime": "0001-01-01T00:00:00", "time": "9999-12-31T23:59:59"}, (3, 10, 30, 70)),
    ],
)
def test_numbers_and_words_are_bounded(pods: Pods, change: dict[str, Any], progress: tuple[int, ...] | None) -> None:
    pods.say("127.0.0.1", a_beat(**change))
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, first_pod())
    found = heartbeats.progress("u1").get("sft")
    assert (found and (found.step, found.total_steps, found.percent, found.seconds_left)) == progress
    pulse = heartbeats.pulses("u1")["sft"]
    assert pulse.last_checkpoint is None and pulse.model_revision is None
    assert pulse.doing in (None, "x [2J")
    assert pulse.alive_time <= pulse.heard_time


def test_the_last_answer_of_a_silent_pod_is_kept_and_its_silence_reported(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_TIMEOUT_SECONDS", 0.2)
    released = threading.Event()
    pods.say("127.0.0.1", a_beat())
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, first_pod())
    heard = heartbeats.pulses("u1")["sft"].heard_time
    pods.answers["127.0.0.1"] = lambda handler: released.wait(60) and None
    assert ask(heartbeats, first_pod()) == {"u1"}
    assert ask(heartbeats, first_pod()) == set()
    assert heartbeats.silent_count == 1 and heartbeats.answering("u1") == set()
    assert "no answer within" in heartbeats.unheard("u1")["sft"]
    assert heartbeats.pulses("u1")["sft"].heard_time == heard
    released.set()
    pods.say("127.0.0.1", a_beat())
    assert ask(heartbeats, first_pod()) == {"u1"}
    assert heartbeats.unheard("u1") == {} and heartbeats.answering("u1") == {"sft"}


def test_the_last_answer_of_an_ended_attempt_is_kept_until_the_next_one_runs(pods: Pods) -> None:
    pods.say("127.0.0.1", a_beat(lastCheckpoint=2))
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, first_pod())
    ask(heartbeats)
    assert heartbeats.pulses("u1")["sft"].last_checkpoint == 2 and heartbeats.answering("u1") == set()
    ask(heartbeats, first_pod("127.0.0.1", attempt=2))
    assert heartbeats.pulses("u1") == {} and heartbeats.progress("u1") == {}


def test_the_number_of_concurrent_requests_is_limited(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_AT_ONCE", 4)
    addresses = [f"127.0.1.{number}" for number in range(1, 41)]
    for number, address in enumerate(addresses):
        pods.say(address, a_beat(f"stage-{number}"))
    heartbeats = Heartbeats(pods.port)
    ask(heartbeats, *(first_pod(address, f"stage-{number}") for number, address in enumerate(addresses)))
    assert len(heartbeats.pulses("u1")) == len(addresses) and pods.most_at_once <= 4
