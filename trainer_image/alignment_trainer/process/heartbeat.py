"""Serves the heartbeat of a stage over HTTP, at one path, to callers with the token of the attempt."""

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
"""Set only in pods: on one machine several stages may run at once, and the operator reads their journals directly."""

_REQUEST_SECONDS = 5.0
_REQUEST_BYTES = 8192
_MOST_REQUESTS = 8


def serve(config: RunConfig, heartbeat: Callable[[], Heartbeat]) -> "HeartbeatServer | None":
    """Start the server if the environment names a port; if the port cannot be used, warn and continue without it."""
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
    """Serves few connections at a time, each for a few seconds, so that it cannot slow the stage down."""

    daemon_threads = True
    request_queue_size = _MOST_REQUESTS

    def __init__(self, port: int, token: str, heartbeat: Callable[[], Heartbeat]) -> None:
        self.token = token
        self.heartbeat = heartbeat
        self._free = threading.BoundedSemaphore(_MOST_REQUESTS)
        # IPv4 and IPv6 at once if possible: a pod may have either address.
        self.address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        super().__init__(("", port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may be slow."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or close the connection if there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and always free the slot for the next request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect during an answer; the stage's log stays clean."""


class _Handler(BaseHTTPRequestHandler):
    server: HeartbeatServer
    server_version, sys_version = "alignment-trainer", ""

    def setup(self) -> None:
        """Read the whole head of the request before parsing it, in bounded time and size."""
        super().setup()
        self.rfile = io.BytesIO(_head(self.request))
        self.request.settimeout(_REQUEST_SECONDS)

    def do_GET(self) -> None:
        """Answer with the heartbeat as JSON."""
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
        """Log no requests: the log belongs to the stage."""


def _head(connection: socket.socket) -> bytes:
    """Read up to the empty line that ends a head; stop at the size limit, and return nothing if the client is too slow."""
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
