"""Serves models as examples/teacher.py does, for tests that need a real teacher or judge."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports import free_port

PROGRAM = Path(__file__).parents[1] / "examples" / "teacher.py"
START_SECONDS = 120


@dataclass(frozen=True)
class ExampleTeacher:
    """A running server."""

    root: str
    """Its address, without /v1."""

    @property
    def base_url(self) -> str:
        """Return what a job names as baseUrl."""
        return f"{self.root}/v1"

    def ask(self, *, key: str | None = None, path: str = "/v1/chat/completions", **body: Any) -> tuple[int, Any, Any]:
        """Send a request without a client of OpenAI's; return status, body and headers."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        request = urllib.request.Request(f"{self.root}{path}", json.dumps(body).encode() if body else None, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer), answer.headers
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused), refused.headers

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return how often each request has arrived, and how often it was answered, by its digest."""
        _, counted, _ = self.ask(path="/counts")
        return counted["arrived"], counted["answered"]


@contextmanager
def served_teacher(models: Path, log: Path, *options: str) -> Iterator[ExampleTeacher]:
    """Serve the models of a folder until the end of the block."""
    port = free_port()
    with log.open("wb") as output:
        command = [sys.executable, str(PROGRAM), str(models), "--port", str(port), *options]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        teacher, limit = ExampleTeacher(f"http://127.0.0.1:{port}"), time.monotonic() + START_SECONDS
        while not _answers(teacher):
            assert process.poll() is None and time.monotonic() < limit, log.read_text()
            time.sleep(0.2)
        yield teacher
    finally:
        process.terminate()
        process.wait()


def _answers(teacher: ExampleTeacher) -> bool:
    try:
        teacher.counts()
    except (urllib.error.URLError, OSError):
        return False
    return True
