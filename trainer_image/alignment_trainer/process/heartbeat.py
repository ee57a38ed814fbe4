"""Answers whoever operates a stage how it does: one address, one question, for those who know the attempt's token."""

import hmac
import io
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any

from alignment_api.heartbeat import HEARTBEAT_PATH, Heartbeat, heartbeat_token
from alignment_api.run_config import RunConfig

PORT_VARIABLE = "ALIGNMENT_HEARTBEAT_PORT"
"""Set in pods alone: on one machine several stages may run, and their journals are read where they lie."""

_REQUEST_SECONDS = 5.0
_REQUEST_BYTES = 8192
_MOST_REQUESTS = 8


def serve(config: RunConfig, heartbeat: Callable[[], Heartbeat]) -> "HeartbeatServer | None":
    """Begin to answer, where the environment names a port; one that cannot be had is told, and the stage goes on."""
    port = os.environ.get(PORT_VARIABLE)
    if not port:
        return None
    token = heartbeat_token(config.job.uid, config.stage_name, config.attempt)
    try:
        server = HeartbeatServer(int(port), token, heartbeat)
    except (OSError, ValueError, OverflowError) as error:
        print(
            f"{PORT_VARIABLE}: port {port} cannot be served ({error}); the stage continues without a heartbeat",
            file=sys.stderr,
            flush=True,
        )
        return None
    threading.Thread(target=server.serve_forever, name="heartbeat", daemon=True).start()
    return server


class HeartbeatServer(ThreadingMixIn, HTTPServer):
    """Takes few connections at a time, each for a short while; it can hold nothing up but itself."""

    daemon_threads = True
    request_queue_size = _MOST_REQUESTS

    def __init__(self, port: int, token: str, heartbeat: Callable[[], Heartbeat]) -> None:
        self.token = token
        self.heartbeat = heartbeat
        self._free = threading.BoundedSemaphore(_MOST_REQUESTS)
        # On both families at once where there is IPv6: a pod may have either address.
        self.address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up what this machine is called, which may take long."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer beside the others, or hang up where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Make room for the next one whatever became of this one."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave it: who hangs up in the middle of an answer hears nothing more, and the stage has nothing to say about it."""


class _Handler(BaseHTTPRequestHandler):
    server: HeartbeatServer
    server_version, sys_version = "alignment-trainer", ""

    def setup(self) -> None:
        """Read all of the request's head before it is looked at, in bounded time and size."""
        super().setup()
        self.rfile = io.BytesIO(_head(self.request))
        self.request.settimeout(_REQUEST_SECONDS)

    def do_GET(self) -> None:
        """Answer the one question."""
        if self.path != HEARTBEAT_PATH:
            self._answer(404, b"")
        elif not self._is_allowed():
            self._answer(401, b"", ("WWW-Authenticate", "Bearer"))
        else:
            content = self.server.heartbeat().model_dump_json(by_alias=True, exclude_none=True)
            self._answer(200, content.encode(), ("Content-Type", "application/json"))

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, f"Bearer {self.server.token}".encode())

    def _answer(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Keep the stage's log to the stage."""


def _head(connection: socket.socket) -> bytes:
    """Read up to the empty line that ends a head; what is longer, or comes too slowly, ends where it is."""
    deadline, head = time.monotonic() + _REQUEST_SECONDS, b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head and len(head) < _REQUEST_BYTES:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            read = connection.recv(_REQUEST_BYTES - len(head))
        except TimeoutError:
            return b""
        if not read:
            return b""
        head += read
    return head
