"""kubectl for tests: applies documents, returns objects, and waits; a wait that times out shows the last state."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from alignment_api.names import API_VERSION, GROUP, PLURAL

Object = dict[str, Any]
Seen = TypeVar("Seen")

DEFINITION = f"{PLURAL}.{GROUP}"
"""The name of the definition of jobs."""
_PATIENCE_SECONDS = 300


class Refused(Exception):
    """The API server or kubectl refused a request; the text is its message."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    namespace: str

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl; a failure raises Refused."""
        done = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return done.stdout

    def apply(self, *documents: Object) -> str:
        """Apply objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": documents}
        return self("apply", "--filename", "-", given=json.dumps(listed))

    def admit(self, job: Object) -> None:
        """Let the API server check an AlignmentJob as it checks a new one; `kubectl apply` would look up much more before."""
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/{PLURAL}?dryRun=All&fieldValidation=Strict"
        self("create", "--raw", path, "--filename", "-", given=json.dumps(job))

    def get(self, kind: str, name: str) -> Object | None:
        """Return one object, or None."""
        text = self("get", kind, name, "--ignore-not-found", "--output", "json")
        found: Object | None = json.loads(text) if text else None
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """Return the objects of a kind."""
        found: list[Object] = json.loads(self("get", kind, "--selector", selector, "--output", "json"))["items"]
        return found

    def patch(self, kind: str, name: str, change: Object) -> None:
        """Change fields of an object; null removes one."""
        self("patch", kind, name, "--type", "merge", "--patch", json.dumps(change))

    def delete(self, kind: str, *names_and_flags: str) -> None:
        """Delete the objects that exist, and by default wait until they are gone."""
        self("delete", kind, *names_and_flags, "--ignore-not-found")

    @contextlib.contextmanager
    def watched(self, kind: str, name: str, path: str, seconds: float) -> Iterator[Iterator[str]]:
        """Yield a line for each state of an object, of what is at a JSONPath; the lines end at the latest after these seconds.

        Asking again and again would take the processor from training: each kubectl takes 0.06 s of it, and the API server more.
        """
        shown = ("--watch", "--output", f'jsonpath={path}{{"\\n"}}', f"--request-timeout={seconds:.1f}s")
        # A list, even of one: for a name, kubectl passes over a change between its first look and its watch.
        selected = ("get", kind, "--field-selector", f"metadata.name={name}")
        command = ["kubectl", "--namespace", self.namespace, *selected, *shown]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
            assert watching.stdout is not None
            try:
                yield (line.strip() for line in watching.stdout)
            finally:
                watching.kill()

    @contextlib.contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[str]:
        """Forward a port of this machine to a service, and yield the address."""
        command = ["kubectl", "--namespace", self.namespace, "port-forward", f"service/{service}", f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as forwarding:
            assert forwarding.stdout is not None
            try:
                line = forwarding.stdout.readline()
                assert line.startswith("Forwarding from 127.0.0.1:"), line
                yield f"http://127.0.0.1:{line.split(':')[1].split(' ')[0]}"
            finally:
                forwarding.kill()


def wait_for(
    what: str,
    look: Callable[[], Seen | None],
    describe: Callable[[], str] = str,
    patience_seconds: float = _PATIENCE_SECONDS,
    pause_seconds: float = 0.5,
) -> Seen:
    """Return the first true result of `look`; only a failing test reaches the generous timeout."""
    end = time.monotonic() + patience_seconds
    while True:
        if seen := look():
            return seen
        assert time.monotonic() < end, f"timed out after {patience_seconds:.0f} s waiting until {what}\n{describe()}"
        time.sleep(pause_seconds)
