"""Requests to real servers of the test: which of them get the key, and which get any request."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest
from alignment_api.run_config import EndpointKey
from alignment_api.spec.endpoints import SecretKey
from alignment_trainer.endpoints.key import Access
from alignment_trainer.endpoints.permission import permission
from alignment_trainer.endpoints.sending import http_client
from alignment_trainer.failures import BadConfiguration
from pydantic import SecretStr

KEY = "sk-0123456789abcdef"
FIELD = "spec.stages[0].dpoDistillation.teacher"
REDIRECTS = (301, 302, 303, 307, 308)


class Server(ThreadingHTTPServer):
    """Sends the configured answers, and records the path and key of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.redirects: dict[str, tuple[int, str]] = {}
        self.seen: list[tuple[str, str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.seen.append((self.command, self.path, self.headers["Authorization"]))
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        code, location = self.server.redirects.get(self.path, (200, ""))
        self.send_response(code)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    both = Server(), Server()
    yield both
    for server in both:
        server.shutdown()
        server.server_close()


def an_access(server: Server, *more: str) -> Access:
    """Allow the server's /v1 and the given addresses."""
    known = EndpointKey(secret=SecretKey(name="teacher", key="api-key"), namespace="team", allowed_endpoints="/none")
    return Access(SecretStr(KEY), permission(f"{server.url}/v1", known, "\n".join((f"{server.url}/v1", *more))))


def post(url: str, given: Access | None, headers: dict[str, str] | None = None) -> httpx2.Response:
    async def send() -> httpx2.Response:
        async with http_client(given, FIELD) as client:
            return await client.post(url, json={"messages": []}, headers=headers)

    return asyncio.run(send())


def test_the_endpoint_gets_the_key_instead_of_the_one_of_an_sdk(servers: tuple[Server, Server]) -> None:
    server, _ = servers
    assert post(f"{server.url}/v1/chat", an_access(server), {"Authorization": "Bearer placeholder"}).status_code == 200
    assert server.seen == [("POST", "/v1/chat", f"Bearer {KEY}")]


def test_a_server_that_needs_no_key_gets_no_key_from_any_source(servers: tuple[Server, Server]) -> None:
    server, other = servers
    server.redirects["/v1/chat"] = 307, f"{other.url}/v1/chat"
    post(f"{server.url}/v1/chat", None, {"Authorization": "Bearer of-the-environment"})
    assert server.seen == other.seen == [("POST", "/v1/chat", None)]


@pytest.mark.parametrize("code", REDIRECTS)
def test_a_redirect_to_another_server_never_reaches_it(servers: tuple[Server, Server], code: int) -> None:
    server, other = servers
    server.redirects["/v1/chat"] = code, f"{other.url}/v1/chat?from=one"
    with pytest.raises(BadConfiguration) as refused:
        post(f"{server.url}/v1/chat", an_access(server))
    assert server.seen == [("POST", "/v1/chat", f"Bearer {KEY}")]
    assert other.seen == []
    assert str(refused.value) == (
        f"{FIELD}.baseUrl: {server.url}/v1 redirects to {other.url}/v1/chat, and a key is never sent to another server; "
        "if that server is the endpoint, set baseUrl to it, and allow it in the Secret"
    )


@pytest.mark.parametrize("code", REDIRECTS)
def test_a_redirect_to_another_allowed_server_never_reaches_it(servers: tuple[Server, Server], code: int) -> None:
    server, other = servers
    server.redirects["/v1/chat"] = code, f"{other.url}/v1/chat"
    with pytest.raises(BadConfiguration, match="a key is never sent to another server"):
        post(f"{server.url}/v1/chat", an_access(server, f"{other.url}/v1"))
    assert other.seen == []


@pytest.mark.parametrize("code", REDIRECTS)
@pytest.mark.parametrize("location", ["/admin", "../admin", "/v1/../admin", "/v1evil", "//127.0.0.1:{port}/admin"])
def test_a_redirect_to_a_forbidden_path_of_the_same_server_never_reaches_it(
    servers: tuple[Server, Server], code: int, location: str
) -> None:
    server, _ = servers
    server.redirects["/v1/chat"] = code, location.format(port=server.server_port)
    with pytest.raises(BadConfiguration, match="redirects to"):
        post(f"{server.url}/v1/chat", an_access(server))
    assert server.seen == [("POST", "/v1/chat", f"Bearer {KEY}")]


@pytest.mark.parametrize(
    "location",
    [
        "//{other}/v1",
        "http://127.0.0.1:{own}@{other}/v1",
        "http:\\\\{other}\\v1",
        "http://{other}\\@127.0.0.1:{own}/v1",
        "http://{other}#@127.0.0.1:{own}/v1",
        "http://{other}/v1/%2e%2e/",
        "http://localhost:{own}/v1",
        "http://[::ffff:127.0.0.1]:{own}/v1",
        "http://2130706433:{own}/v1",
        "https://127.0.0.1:{own}/v1",
        "HTTP://{other}/v1",
        "/v1/%2e%2e/admin",
        "/v1/..%2fadmin",
        "http:///v1",
    ],
)
def test_no_spelling_of_a_redirect_reaches_another_server(servers: tuple[Server, Server], location: str) -> None:
    server, other = servers
    elsewhere = location.format(own=server.server_port, other=f"127.0.0.1:{other.server_port}")
    server.redirects["/v1/chat"] = 307, elsewhere
    with pytest.raises((BadConfiguration, httpx2.RemoteProtocolError)):
        post(f"{server.url}/v1/chat", an_access(server))
    assert server.seen == [("POST", "/v1/chat", f"Bearer {KEY}")]
    assert other.seen == []


def test_a_redirect_below_the_allowed_path_is_followed_with_the_key(servers: tuple[Server, Server]) -> None:
    server, _ = servers
    server.redirects = {"/v1/chat": (308, "/v1/chat/"), "/v1/chat/": (307, f"{server.url}/v1/completions")}
    assert post(f"{server.url}/v1/chat", an_access(server)).status_code == 200
    bearer = f"Bearer {KEY}"
    assert server.seen == [("POST", "/v1/chat", bearer), ("POST", "/v1/chat/", bearer), ("POST", "/v1/completions", bearer)]


def test_each_redirect_is_checked_not_only_the_first(servers: tuple[Server, Server]) -> None:
    server, other = servers
    server.redirects = {"/v1/chat": (307, "/v1/next"), "/v1/next": (307, f"{other.url}/v1/chat")}
    with pytest.raises(BadConfiguration, match="a key is never sent to another server"):
        post(f"{server.url}/v1/chat", an_access(server))
    assert len(server.seen) == 2
    assert other.seen == []


def test_a_client_used_for_another_address_sends_nothing(servers: tuple[Server, Server]) -> None:
    server, other = servers
    with pytest.raises(BadConfiguration):
        post(f"{other.url}/v1/chat", an_access(server))
    assert server.seen == other.seen == []


def test_options_of_the_caller_cannot_disable_a_rule() -> None:
    async def refuse(_: httpx2.Request) -> None:
        raise AssertionError("the caller's own hooks would replace the rule")

    client = http_client(None, FIELD, timeout=3, event_hooks={"request": [refuse]})
    assert client.timeout == httpx2.Timeout(3)
    assert refuse not in client.event_hooks["request"]


def test_no_log_at_any_level_and_no_failure_shows_the_key(
    servers: tuple[Server, Server], caplog: pytest.LogCaptureFixture
) -> None:
    server, other = servers
    server.redirects["/v1/away"] = 307, f"{other.url}/v1/away"
    with caplog.at_level(logging.DEBUG):
        answer = post(f"{server.url}/v1/chat", an_access(server))
        with pytest.raises(BadConfiguration) as refused:
            post(f"{server.url}/v1/away", an_access(server))
    assert "HTTP Request" in caplog.text
    assert KEY not in caplog.text + f"{answer!r} {answer.request!r} {answer.request.headers!r} {refused.value!r}"


def test_the_module_needs_no_torch() -> None:
    program = "import sys, alignment_trainer.endpoints.sending; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
