"""A teacher and a judge for tests: a real server that knows the answers, and counts what arrives."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import SequenceMatcher
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from judges import answers_in
from served_threads import serving

Finish = tuple[str, str]


class Classroom(ThreadingHTTPServer):
    """Serves `teacher`, which knows the answers, `judge`, which prefers what is closer to them, and `student`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.student: Callable[[str], Finish] = lambda question: ("I do not know.", "stop")
        self.teacher: Callable[[str], Finish] = lambda question: (self.answers[question], "stop")
        self.lock = Lock()
        self.arrived: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def endpoint(self, model: str, **more: Any) -> dict[str, Any]:
        return {"baseUrl": self.url, "model": model, "concurrency": 4, **more}

    def asked_of(self, model: str) -> list[str]:
        """Return the questions that a model was asked, without the probe of the server."""
        return [body["messages"][-1]["content"] for body in self.asked if body["model"] == model and body["max_tokens"] > 1]

    def reply(self, body: dict[str, Any]) -> Finish:
        question = body["messages"][-1]["content"]
        if body["max_tokens"] == 1:
            return "Yes", "length"
        if body["model"] == "teacher":
            return self.teacher(question)
        return self.student(question) if body["model"] == "student" else (self._verdict(question), "stop")

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no error of the test."""

    def _verdict(self, demand: str) -> str:
        mark, *keys = demand.splitlines()[-1].replace("=?", "").split()
        first, second = answers_in(demand, mark)
        known = next((answer for question, answer in self.answers.items() if question in demand), "")
        closer = [SequenceMatcher(None, known, answer).ratio() for answer in (first, second)]
        value = "Tie" if closer[0] == closer[1] else "A" if closer[0] > closer[1] else "B"
        return f"One is closer to what is known.\n{mark} {keys[0]}={value}"


class _Handler(BaseHTTPRequestHandler):
    server: Classroom
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        server = self.server
        with server.lock:
            server.asked.append(body)
            server.arrived[json.dumps(body, sort_keys=True)] += 1
        text, finish = server.reply(body)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
        shape = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"]}
        content = json.dumps({**shape, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def a_classroom(answers: Mapping[str, str]) -> Iterator[Classroom]:
    """Serve until the end of the block."""
    with serving(Classroom(answers)) as server:
        yield server
