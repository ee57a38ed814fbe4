"""Remembers all that a watch tells, so that a test can say what never happened."""

import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from cluster.kubectl import Kubectl, Object

Said = TypeVar("Said")


class Watch:
    """The objects of a kind as they come, change and go."""

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
        """Give every state of every object so far."""
        return [event["object"] for event in self._events()]

    def uids(self) -> dict[str, set[str]]:
        """Give all that ever had a name."""
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


def changes(told: Iterable[Said]) -> list[Said]:
    """Leave out what only repeats what was said before it."""
    return [said for said, _ in itertools.groupby(told)]
