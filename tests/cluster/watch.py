"""Records everything that a watch reports, so that a test can check what never happened."""

import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from cluster.kubectl import Kubectl, Object

Value = TypeVar("Value")


class Watch:
    """Every state of every object of a kind while the watch runs."""

    def __init__(self, kubectl: Kubectl, kind: str, selector: str) -> None:
        self._command = ["kubectl", "--namespace", kubectl.namespace, "get", kind, "--selector", selector]
        self._command += ["--watch", "--output-watch-events", "--output", "json"]
        self._file = tempfile.NamedTemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Watch":
        self._process = subprocess.Popen(self._command, stdout=self._file)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._file.close()

    def objects(self) -> list[Object]:
        """Return every state of every object so far."""
        return [event["object"] for event in self._events()]

    def uids(self) -> dict[str, set[str]]:
        """Return the uids of all objects so far, by name."""
        found: dict[str, set[str]] = {}
        for item in self.objects():
            found.setdefault(item["metadata"]["name"], set()).add(item["metadata"]["uid"])
        return found

    def _events(self) -> Iterator[Object]:
        text, decoder, position = Path(self._file.name).read_text(), json.JSONDecoder(), 0
        while position < len(text):
            try:
                event, position = decoder.raw_decode(text, position)
            except json.JSONDecodeError:
                return
            yield event
            position += len(text[position:]) - len(text[position:].lstrip())


def changes(values: Iterable[Value]) -> list[Value]:
    """Drop values that repeat the previous value."""
    return [value for value, _ in itertools.groupby(values)]
