"""Datasets of the Hub are read at a commit; what the Hub would answer is answered by a server of the test's own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from alignment_trainer.hub import newest_commit

COMMIT, OLDER = "c" * 40, "0" * 40
ANSWERS = {
    "/api/datasets/team/rows": COMMIT,
    "/api/datasets/team/rows/revision/main": COMMIT,
    "/api/datasets/team/rows/revision/v1": OLDER,
}


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        commit = ANSWERS.get(self.path.partition("?")[0])
        body = json.dumps({"id": "team/rows", "sha": commit} if commit else {"error": "Repository not found"}).encode()
        self.send_response(200 if commit else 404)
        self.send_header("Content-Length", str(len(body)))
        if not commit:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep the test's output to itself."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    ("revision", "commit"), [(None, COMMIT), ("main", COMMIT), ("v1", OLDER), (OLDER, OLDER), ("a" * 40, "a" * 40)]
)
def test_a_revision_becomes_a_commit(hub: str, revision: str | None, commit: str) -> None:
    assert newest_commit("team/rows", revision, None, hub) == commit


PROGRAM = """
import sys
from alignment_api.run_config import Paths
from alignment_api.training import Dataset
from alignment_trainer.failures import StageFailure
from alignment_trainer.hub import load
try:
    load(Dataset(uri=sys.argv[1]), Paths(workspace=sys.argv[2], stage=sys.argv[2]))
except StageFailure as failure:
    print(type(failure).__name__, failure)
"""


@pytest.mark.parametrize(
    ("reachable", "said"),
    [
        (True, "BadData hf://team/absent cannot be loaded ("),
        (False, "Unreachable hf://team/absent cannot be fetched now ([Errno 111] Connection refused); check the network"),
    ],
)
def test_what_the_hub_does_not_give_is_said(hub: str, tmp_path: object, reachable: bool, said: str) -> None:
    # The libraries read their surroundings once, so this is a process of its own.
    surroundings = {**os.environ, "HF_ENDPOINT": hub if reachable else "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1"}
    surroundings.pop("HF_HUB_OFFLINE", None)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "hf://team/absent", str(tmp_path)], capture_output=True, text=True, env=surroundings
    )
    assert ended.stdout.startswith(said), ended.stderr
    assert "Traceback" not in ended.stderr
