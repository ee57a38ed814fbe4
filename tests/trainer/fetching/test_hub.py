"""Datasets and models of the Hub are read at a commit, here from a server of the test."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer
from typing import Any, NamedTuple

import pytest
from alignment_trainer.fetching.hub import HubRepository, newest_commit
from huggingface_hub import constants

COMMIT, OLDER = "c" * 40, "0" * 40
PATIENCE_SECONDS = 120


@dataclass
class Repository:
    """A repository of the server, and the faults with which it answers first."""

    revisions: dict[str | None, str] = field(
        default_factory=lambda: {None: COMMIT, "main": COMMIT, "v1": OLDER, "0000000": OLDER}
    )
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    """Each is (status, headers), or a number of bytes of a body after which the connection is cut."""
    asked: Counter[str] = field(default_factory=Counter)


class Hub:
    """A server with the part of the Hub's API that its library needs for models."""

    def __init__(self) -> None:
        self.repository = Repository()
        hub = self

        class Handler(_Handler):
            @property
            def repository(self) -> Repository:
                return hub.repository

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: Repository

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.repository.asked[f"{self.command} {path}"] += 1
        cut = None
        if self.repository.faults:
            fault = self.repository.faults[0]
            if isinstance(fault, tuple):
                self.repository.faults.pop(0)
                return self.answer(fault[0], b'{"error": "as the test wants"}', **fault[1])
            if "/resolve/" in path and self.command == "GET" and path.endswith(".safetensors"):
                cut = self.repository.faults.pop(0)
        if "/resolve/" in path:
            return self.file(path.partition("/resolve/")[2].partition("/")[2], cut)
        return self.about(path)

    do_HEAD = do_GET  # noqa: N815

    def about(self, path: str) -> None:
        name, _, rest = path.removeprefix("/api/").partition("/")[2].partition("/revision/")
        if name.startswith("team/rows/tree/"):
            files = [
                {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                for name, content in self.repository.files.items()
            ]
            return self.answer(200, json.dumps(files).encode())
        commit = self.repository.revisions.get(rest or None)
        if name != "team/rows":
            return self.answer(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
        if commit is None:
            return self.answer(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
        return self.answer(200, json.dumps({"id": "team/rows", "sha": commit}).encode())

    def file(self, name: str, cut: int | None) -> None:
        content = self.repository.files.get(name)
        if content is None:
            return self.answer(404, b"", **{"X-Error-Code": "EntryNotFound"})
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        about = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": self.path.partition("/resolve/")[2].partition("/")[0]}
        if begin:
            about["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return self.answer(206 if begin else 200, content[begin:], cut, **about)

    def answer(self, status: int, body: bytes, cut: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.close_connection = cut is not None

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()


@pytest.fixture
def hub(running: Hub) -> Hub:
    """A new Hub server without faults."""
    running.repository = Repository(files={"config.json": b"{}", "model.safetensors": bytes(range(256)) * 4096})
    return running


@pytest.mark.parametrize(
    ("revision", "commit"),
    [(None, COMMIT), ("main", COMMIT), ("v1", OLDER), ("0000000", OLDER), (OLDER, OLDER), ("a" * 40, "a" * 40)],
)
@pytest.mark.parametrize("kind", ["dataset", "model"])
def test_a_revision_becomes_a_commit(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: str, revision: str | None, commit: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert newest_commit(HubRepository(kind, "hf://team/rows", revision, "hf://team/rows"), None, hub.url) == commit


PROGRAM = """
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset
from alignment_trainer.fetching import retries
from alignment_trainer.fetching import hub
from alignment_trainer.failures import StageFailure
from alignment_trainer.workspace import full_disk
if "FREE_BYTES" in os.environ:
    full_disk.room_of = lambda path: full_disk.Room(int(os.environ["FREE_BYTES"]), 10**9)
retries.RETRY_POLICY = retries.RetryPolicy(
    tries=3, first_wait_seconds=0.05, longest_wait_seconds=0.1, longest_retry_after_seconds=2
)
paths = Paths(workspace=sys.argv[1], stage=sys.argv[1])

def fetch(kind, uri, revision=None):
    if kind == "dataset":
        return hub.load(Dataset(uri=uri, revision=revision), paths)
    hub.configure_libraries(paths)
    wanted = hub.HubRepository("model", uri, revision, f"spec.model.uri: {uri}")
    if kind == "tokenizer":
        return hub.download_tokenizer(wanted, paths)
    return hub.download_model(wanted, hub.newest_commit(wanted, None), None)

for line in sys.stdin:
    with redirect_stdout(StringIO()) as said, redirect_stderr(StringIO()) as noted:
        try:
            print(fetch(*json.loads(line)))
        except StageFailure as failure:
            print(type(failure).__name__, failure)
    print(json.dumps([said.getvalue(), noted.getvalue()]), flush=True)
"""


class Fetched(NamedTuple):
    """What a download has printed."""

    stdout: str
    stderr: str


Ask = Callable[..., Fetched]


@contextmanager
def fetching(url: str, root: Path, **environment: str) -> Iterator[Ask]:
    """Return a function that downloads in a new process, because the libraries read their environment once."""
    variables = {name: value for name, value in os.environ.items() if name not in ("HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE")}
    variables |= {"HF_ENDPOINT": url, **environment}
    command = [sys.executable, "-c", PROGRAM, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables) as process:
        assert process.stdin and process.stdout

        def ask(*arguments: str) -> Fetched:
            watchdog = Timer(PATIENCE_SECONDS, process.kill)
            watchdog.start()
            print(json.dumps(arguments), file=process.stdin, flush=True)
            answer = process.stdout.readline()
            watchdog.cancel()
            assert answer, f"the process has failed, or was ended after {PATIENCE_SECONDS} seconds"
            fetched = Fetched(*json.loads(answer))
            assert "Traceback" not in fetched.stderr, fetched.stderr
            return fetched

        yield ask


def fetch(url: str, root: Path, *arguments: str, **environment: str) -> Fetched:
    """Download once."""
    with fetching(url, root, **environment) as ask:
        return ask(*arguments)


@pytest.fixture(scope="module")
def ask(running: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """One process for all downloads that are refused: nothing of them is kept."""
    root = tmp_path_factory.mktemp("refused")
    with fetching(running.url, root) as ask:
        yield ask


MODEL = "spec.model.uri: hf://team/rows"
BUSY, LIMITED = (503, {}), (429, {"Retry-After": "1"})
UNREACHABLE = (
    "Unreachable {} cannot be downloaded now ({}; 3 tries); check the network and the endpoint; the stage tries again later\n"
)


@pytest.mark.parametrize(
    ("faults", "messages"),
    [
        ([], []),
        (
            [BUSY, BUSY],
            [
                "the server answers 503 Service Unavailable (try 1 of 3)",
                "the server answers 503 Service Unavailable (try 2 of 3)",
            ],
        ),
        ([LIMITED], ["the server answers 429 Too Many Requests (try 1 of 3)"]),
        ([300_000, 400_000], []),
    ],
    ids=["nothing", "503 twice", "429", "cut off twice"],
)
def test_a_model_is_downloaded_in_spite_of(hub: Hub, tmp_path: Path, faults: list[Any], messages: list[str]) -> None:
    hub.repository.faults = list(faults)
    ended = fetch(hub.url, tmp_path, "model", "hf://team/rows")
    folder = Path(ended.stdout.strip())
    assert folder.name == COMMIT, ended.stdout + ended.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == hub.repository.files
    lines = [line for line in ended.stderr.splitlines() if MODEL in line]
    assert [line.removeprefix(f"{MODEL}: ").partition("; next try at ")[0] for line in lines] == messages


def test_cached_files_need_no_request(hub: Hub, tmp_path: Path) -> None:
    fetch(hub.url, tmp_path, "model", "hf://team/rows", COMMIT)
    hub.repository.asked.clear()
    again = fetch("http://127.0.0.1:9", tmp_path, "model", "hf://team/rows", COMMIT)
    assert Path(again.stdout.strip()).name == COMMIT
    assert not hub.repository.asked


def test_a_tokenizer_is_downloaded_without_weights_and_is_not_taken_for_the_model(hub: Hub, tmp_path: Path) -> None:
    shown = Path(fetch(hub.url, tmp_path, "tokenizer", "hf://team/rows").stdout.strip())
    assert {path.name for path in shown.iterdir()} == {"config.json"}
    trained = Path(fetch(hub.url, tmp_path, "model", "hf://team/rows").stdout.strip())
    assert {path.name for path in trained.iterdir()} == set(hub.repository.files)


def test_a_model_without_room_is_not_downloaded(hub: Hub, tmp_path: Path) -> None:
    size = sum(map(len, hub.repository.files.values()))
    refused = fetch(hub.url, tmp_path, "model", "hf://team/rows", FREE_BYTES=str(size - 1))
    assert refused.stdout.startswith(f"DiskFull the volume of {tmp_path}/.cache/huggingface/hub has 1.0 MB free, and ")
    assert "the rest of hf://team/rows needs 1.0 MB; free some room or enlarge the volume" in refused.stdout
    assert not list(tmp_path.rglob("model.safetensors"))
    # What an earlier attempt has of a file is there already.
    blobs = tmp_path / ".cache" / "huggingface" / "hub" / "models--team--rows" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / "begun.incomplete").write_bytes(b"1")
    assert Path(fetch(hub.url, tmp_path, "model", "hf://team/rows", FREE_BYTES=str(size - 1)).stdout.strip()).name == COMMIT


@pytest.mark.parametrize("kind", ["model", "dataset"])
@pytest.mark.parametrize(
    ("url", "faults", "message"),
    [
        (None, [BUSY] * 9, "the server answers 503 Service Unavailable"),
        (None, [LIMITED] * 9, "the server answers 429 Too Many Requests"),
        ("http://127.0.0.1:9", [], "[Errno 111] Connection refused"),
        ("http://no-such-host.invalid", [], "["),
    ],
    ids=["503", "429", "refused", "no such name"],
)
def test_a_persistent_fault_is_unreachable(
    hub: Hub, ask: Ask, tmp_path: Path, kind: str, url: str | None, faults: list[Any], message: str
) -> None:
    hub.repository.faults = list(faults)
    ended = fetch(url, tmp_path, kind, "hf://team/rows") if url else ask(kind, "hf://team/rows")
    shown = MODEL if kind == "model" else "hf://team/rows"
    assert ended.stdout.startswith(f"Unreachable {shown} cannot be downloaded now ({message}"), ended.stdout + ended.stderr
    assert ended.stdout.endswith("; 3 tries); check the network and the endpoint; the stage tries again later\n")
    assert ended.stderr.count("; next try at ") == 2
    if faults:
        assert len(hub.repository.faults) == 6, "the library's own tries must not multiply with ours"


GATED = (403, {"X-Error-Code": "GatedRepo"})
PRIVATE = "is not on the Hub, or is private; correct the uri, or give a token that may read it in spec.hubTokenSecret"


@pytest.mark.parametrize("pinned", [False, True], ids=["newest", "pinned"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((401, {}), PRIVATE),
        ((404, {"X-Error-Code": "RepoNotFound"}), PRIVATE),
        (
            GATED,
            "is gated; accept its terms on the page of team/rows on the Hub, "
            "and give a token of that account in spec.hubTokenSecret",
        ),
        ((403, {}), "may not be read with the token of spec.hubTokenSecret (the Hub answers 403); give another"),
    ],
    ids=["401", "404", "gated", "403"],
)
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_refusal_says_what_to_do(hub: Hub, ask: Ask, kind: str, fault: Any, message: str, pinned: bool) -> None:
    hub.repository.faults = [fault] * 9
    ended = ask(kind, "hf://team/rows", *([COMMIT] if pinned else []))
    assert ended.stdout == f"BadData {MODEL if kind == 'model' else 'hf://team/rows'} {message}\n", ended.stderr
    assert "next try" not in ended.stderr
    assert len(hub.repository.faults) == 8


@pytest.mark.parametrize(("kind", "field"), [("model", "spec.model.revision"), ("dataset", "the dataset's revision")])
def test_a_missing_revision_is_named(hub: Hub, ask: Ask, kind: str, field: str) -> None:
    ended = ask(kind, "hf://team/rows", "v9")
    assert ended.stdout.endswith(f"hf://team/rows has no revision v9; correct {field}\n")
    assert ended.stdout.startswith("BadData ")


def test_offline_mode_is_no_network_fault(hub: Hub, tmp_path: Path) -> None:
    ended = fetch(hub.url, tmp_path, "model", "hf://team/rows", HF_HUB_OFFLINE="1")
    assert ended.stdout.startswith(f"BadData {MODEL} is not cached, and HF_HUB_OFFLINE forbids downloads")
