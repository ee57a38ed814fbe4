"""A small API server that lists and watches AlignmentJobs as Kubernetes does, and fails as a test asks."""

import json
import socket
import threading
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

STAGES = [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}]


def a_document(name: str, namespace: str = "team", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a job as the API server stores it."""
    document: dict[str, Any] = {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"model": {"uri": "workspace://model"}, "stages": STAGES} | spec,
    }
    return document | ({"status": status} if status else {})


class ApiServer:
    """Lists and watches AlignmentJobs over HTTP as Kubernetes does, and fails as a test asks."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.version = 100
        self.oldest = 0
        """Versions before this one cannot be watched any more."""
        self.gone_within_the_watch = False
        self.refusals: dict[str, tuple[int, bytes]] = {}
        self.reported: list[dict[str, Any]] = []
        """The core/v1 Events of all jobs."""
        self.forbidden: str | None = None
        """A namespace that may not be listed."""
        self.requests: list[tuple[str, str]] = []
        """Verb and resourceVersion of each request."""
        self.cuts = 0
        self.connections: set[socket.socket] = set()
        self.port = 0
        self.start()

    def start(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), partial(Handler, self))
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections until the next start."""
        self.server.shutdown()
        self.server.server_close()
        self.cut()

    def cut(self) -> None:
        """Break all connections in the middle of their answers."""
        with self.changed:
            self.cuts += 1
            self.changed.notify_all()
            for connection in list(self.connections):
                with suppress(OSError):  # it has just ended by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def put(self, name: str, namespace: str = "team", **others: Any) -> None:
        """Create or replace a job."""
        document = a_document(name, namespace, **others)
        kind = "MODIFIED" if (namespace, name) in self.jobs else "ADDED"
        self.jobs[(namespace, name)] = self.record(kind, document)

    def delete(self, name: str, namespace: str = "team") -> None:
        self.record("DELETED", self.jobs.pop((namespace, name)))

    def bookmark(self) -> None:
        self.record("BOOKMARK", {"kind": "AlignmentJob", "metadata": {}})

    def forget(self) -> None:
        """Refuse to resume from the versions so far, as after a compaction."""
        self.oldest = self.version

    def refuse(self, verb: str, status: int, body: dict[str, Any] | bytes) -> None:
        """Answer a verb with this status and body, and end the open watches."""
        self.refusals[verb] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.cut()

    def asked(self, verb: str) -> list[str]:
        """Return the resourceVersions of a verb's requests."""
        return [version for asked, version in self.requests if asked == verb]

    def record(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        with self.changed:
            self.version += 1
            stored = document | {"metadata": document["metadata"] | {"resourceVersion": str(self.version)}}
            self.events.append({"type": kind, "object": stored})
            self.changed.notify_all()
        return stored


class Handler(BaseHTTPRequestHandler):
    """One connection to the API server."""

    protocol_version = "HTTP/1.1"

    def __init__(self, api: ApiServer, *arguments: Any) -> None:
        self.api = api
        super().__init__(*arguments)

    def setup(self) -> None:
        super().setup()
        self.api.connections.add(self.connection)

    def finish(self) -> None:
        self.api.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        parts = address.path.split("/")
        namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts else None
        verb, version = ("watch", query["resourceVersion"]) if "watch" in query else ("list", "")
        if parts[-1] == "events":
            verb, version = "events", query["fieldSelector"]
        self.api.requests.append((verb, version))
        if namespace and namespace == self.api.forbidden:
            self.answer(403, b"{}")
        elif verb in self.api.refusals:
            self.answer(*self.api.refusals[verb])
        elif verb == "events":
            self.answer(200, json.dumps({"metadata": {}, "items": self.api.reported}).encode())
        elif verb == "list":
            items = [job for (where, _), job in sorted(self.api.jobs.items()) if namespace in (None, where)]
            self.answer(200, json.dumps({"metadata": {"resourceVersion": str(self.api.version)}, "items": items}).encode())
        elif int(version) < self.api.oldest and not self.api.gone_within_the_watch:
            self.answer(410, json.dumps({"code": 410, "message": "too old"}).encode())
        else:
            self.watch(namespace, int(version), float(query["timeoutSeconds"]))

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def watch(self, namespace: str | None, version: int, seconds: float) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            if version < self.api.oldest:
                self.chunk({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}})
            else:
                self.stream(namespace, version, seconds)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the connection was cut

    def stream(self, namespace: str | None, version: int, seconds: float) -> None:
        cuts = self.api.cuts
        while True:
            with self.api.changed:
                events = self.api.changed.wait_for(partial(self.news, version, cuts), timeout=seconds)
            if not isinstance(events, list):
                return
            for event in events:
                metadata = event["object"]["metadata"]
                version = int(metadata["resourceVersion"])
                if event["type"] == "BOOKMARK" or namespace in (None, metadata["namespace"]):
                    self.chunk(event)

    def news(self, version: int, cuts: int) -> list[dict[str, Any]] | bool:
        """Return the events after a version; True ends the watch."""
        news = [event for event in self.api.events if int(event["object"]["metadata"]["resourceVersion"]) > version]
        return news or self.api.cuts > cuts

    def chunk(self, event: dict[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        # In two pieces, since a line may arrive in any number of them.
        for piece in (line[:20], line[20:]):
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


def write_kubeconfig(path: Path, port: int) -> None:
    """Write a KUBECONFIG for an API server on this port."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(json.dumps(config))
