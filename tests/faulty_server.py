"""A real server of the OpenAI protocol that does what a test tells it, and records what arrives."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from served_threads import serving

Act = Callable[["_Handler"], None]


def completion(
    text: str | None = "yes", finish: str = "stop", model: str = "large", usage: tuple[int, int] | None = (7, 3)
) -> Any:
    """A completion as OpenAI's protocol has it."""
    counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)} if usage else None
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": counts}


def answers(text: str | None = "yes", **others: Any) -> Act:
    return says(200, completion(text, **others))


def says(status: int, body: Any = None, headers: dict[str, str] | None = None, kind: str = "application/json") -> Act:
    """Send a whole answer; a body that is no text is sent as JSON."""

    def act(handler: "_Handler") -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return act


def cuts_body(handler: "_Handler") -> None:
    """Promise more than is sent, and close the connection."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"id": "1", "choices": [{"mess')
    handler.close_connection = True


def resets(handler: "_Handler") -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def waits(seconds: float) -> Act:
    def act(handler: "_Handler") -> None:
        time.sleep(seconds)
        answers()(handler)

    return act


def drips(seconds: float) -> Act:
    """Send a byte now and then, so that the connection never looks idle."""

    def act(handler: "_Handler") -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
        handler.close_connection = True

    return act


class FaultyServer(ThreadingHTTPServer):
    """Does one act for each request, then always `otherwise`; keeps what has arrived."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.acts: deque[Act] = deque()
        self.otherwise: Act = answers()
        self.lock = Lock()
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.keys: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.now = self.most = 0

    @property
    def arrivals(self) -> int:
        return len(self.bodies)

    def handle_error(self, *_: object) -> None:
        """A client that has gone away is no error of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer
    body: dict[str, Any]
    protocol_version = "HTTP/1.1"
    # Otherwise head and body are two packets, and the second one waits for an acknowledgement.
    wbufsize = -1
    body: dict[str, Any]

    def do_POST(self) -> None:
        server = self.server
        self.body = body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        with server.lock:
            server.bodies.append(body)
            server.times.append(time.monotonic())
            server.keys.append(self.headers["Authorization"])
            server.headers.append(dict(self.headers))
            server.now += 1
            server.most = max(server.most, server.now)
            act = server.acts.popleft() if server.acts else server.otherwise
        try:
            act(self)
        finally:
            with server.lock:
                server.now -= 1

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def a_faulty_server(*acts: Act) -> Iterator[FaultyServer]:
    server = FaultyServer()
    server.acts.extend(acts)
    with serving(server):
        yield server
