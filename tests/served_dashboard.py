"""Serves a dashboard in a process of its own, as its command does."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from ports import free_port

START_SECONDS = 60


@contextmanager
def served(*arguments: str, **environment: str) -> Iterator[str]:
    """Serve a dashboard with these environment variables and nothing else of this one's settings, and return its address."""
    with served_process(*arguments, **environment) as (address, _):
        yield address


@contextmanager
def served_process(*arguments: str, **environment: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Do the same, and return the process too."""
    port = free_port()
    own = ("ALIGNMENT_HOME", "MLFLOW_TRACKING_URI", "ALIGNMENT_SOURCE", "ALIGNMENT_NAMESPACES", "KUBECONFIG")
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    command = [sys.executable, "-m", "alignment_dashboard", "--port", str(port), *arguments]
    with subprocess.Popen(command, env=inherited | environment, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_until_it_answers(process, f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, f"the dashboard ended with {process.returncode}"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"the dashboard has not answered in {START_SECONDS} s"
        time.sleep(0.1)
