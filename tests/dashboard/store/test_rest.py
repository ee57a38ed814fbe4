"""A server of MLflow that is away, refuses or sends nonsense is one sentence, which never contains a password."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alignment_api.metrics import JOB_UID_TAG
from alignment_dashboard.store import rest
from alignment_dashboard.store.rest import RestStore
from alignment_dashboard.store.store import StoredFile, StoreUnavailable
from mlflow import MlflowClient
from served_threads import serving


@pytest.fixture(autouse=True)
def without_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", rest.CREDENTIALS_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@contextmanager
def answering(status: int, body: bytes, kind: str = "application/json") -> Iterator[str]:
    """Serve the same answer at every address; {login} in it becomes the name and password of the request."""

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
            answer = body.replace(b"{login}", given)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def refusal(uri: str) -> str:
    """Return the sentence about a server that cannot be read."""
    with pytest.raises(StoreUnavailable, match=r"MLflow at http://127\.0\.0\.1:\d+ cannot be read") as caught:
        RestStore(uri).runs_of("uid-a")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_server_that_is_away() -> None:
    refusal("http://127.0.0.1:9")


def test_a_page_shows_no_password_of_an_address() -> None:
    assert "secret" not in refusal("http://me:secret@127.0.0.1:9")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, json.dumps({"error_code": "PERMISSION_DENIED", "message": "no"}).encode(), "application/json"),
        (502, b"<html>\n<b>Bad gateway</b>\n</html>", "text/html"),
        (200, b"<html>\nPlease log in\n</html>", "text/html"),
        (200, b'{"experiments": [', "application/json"),
    ],
)
def test_an_answer_that_is_no_answer(status: int, body: bytes, kind: str) -> None:
    with answering(status, body, kind) as uri:
        refusal(uri)


def test_a_server_that_asks_for_a_password_gets_it_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(rest.CREDENTIALS_VARIABLE, str(tmp_path))
    body = json.dumps({"error_code": "PERMISSION_DENIED", "message": "I know no {login}"}).encode()
    with answering(403, body) as uri:
        assert "No such file" in refusal(uri) and "username" in refusal(uri)
        for password in ("old", "new"):
            (tmp_path / "username").write_text("me\n")
            (tmp_path / "password").write_text(password)
            assert f"I know no me:{password}" in refusal(uri)


def test_files_come_through_the_server_which_alone_knows_where_they_are(server: str, tmp_path: Path) -> None:
    client = MlflowClient(server)
    run_id = client.create_run(client.create_experiment(str(tmp_path)), tags={JOB_UID_TAG: str(tmp_path)}).info.run_id
    client.log_text(run_id, "0123456789", "logs/stage.log")
    store = RestStore(server)
    (run,) = store.runs_of(str(tmp_path))
    assert run.artifacts.startswith("mlflow-artifacts:")
    (file,) = store.files(run, "logs")
    assert file == StoredFile("logs/stage.log", 10)
    assert [store.read_end(run, file, most) for most in (3, 10, 100)] == [b"789", b"0123456789", b"0123456789"]


def test_a_file_of_any_length_fills_no_memory(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MOST_DOWNLOADED", 1 << 20)
    monkeypatch.setattr(rest, "CHUNK", 1 << 10)
    client = MlflowClient(server)
    run_id = client.create_run(client.create_experiment(str(tmp_path)), tags={JOB_UID_TAG: str(tmp_path)}).info.run_id
    client.log_text(run_id, "x" * (2 << 20), "logs/stage.log")
    store = RestStore(server)
    with pytest.raises(StoreUnavailable, match="more than 1 MB"):
        store.read_end(store.runs_of(str(tmp_path))[0], StoredFile("logs/stage.log", 5), 100)
