"""Serves an MLflow database, as a cluster does."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forked_programs import forked_programs
from ports import free_port

START_SECONDS = 120


@contextmanager
def served_mlflow(folder: Path) -> Iterator[str]:
    """Serve the database and the artifacts in a folder, and return the address."""
    server = MlflowServer(folder / "mlflow.db", folder)
    try:
        server.start()
        yield server.uri
    finally:
        server.stop()


class MlflowServer:
    """A server that can be stopped and started at the same address."""

    def __init__(self, database: Path, files: Path) -> None:
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self._database, self._files, self._log = database, files, database.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self._database}"]
        command += ["--artifacts-destination", str(self._files), "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self._port)]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with self._log.open("ab") as log, forked_programs():
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        limit = time.monotonic() + START_SECONDS
        while not _answers(self.uri):
            assert time.monotonic() < limit, self._log.read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
            self._process = None


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
