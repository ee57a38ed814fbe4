"""What the application answers beside its pages."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

import pytest
from alignment_api.home import Home
from alignment_dashboard import server
from alignment_dashboard.keeper import Known
from starlette.requests import Request


class Runtime:
    """Stands for Streamlit's runtime at a moment of its life, which a test cannot stop it at."""

    def __init__(self, ready: bool) -> None:
        self._ready = ready

    @property
    def is_ready_for_browser_connection(self) -> Coroutine[None, None, tuple[bool, str]]:
        async def answer() -> tuple[bool, str]:
            return self._ready, "unavailable"

        return answer()


@pytest.mark.parametrize(("ready", "status", "text"), [(True, 200, b"ok"), (False, 503, b"not ready")])
def test_health_says_whether_a_browser_can_connect(
    monkeypatch: pytest.MonkeyPatch, ready: bool, status: int, text: bytes
) -> None:
    monkeypatch.setattr(server.runtime, "get_instance", lambda: Runtime(ready))
    answer = asyncio.run(server.answer_health(Request({"type": "http"})))
    assert (answer.status_code, answer.body) == (status, text)


@pytest.mark.parametrize(
    ("path", "problem", "view", "body", "kept"),
    [
        ("", None, lambda *_: "<div>rows</div>", b"<body><div>rows</div></body>", "no-store"),
        ("", "The answer takes long.", lambda *_: "<div>rows</div>", b"<body></body>", "no-store"),
        ("", None, lambda *_: 1 / 0, b"<body></body>", "no-store"),
        ("compare", None, lambda *_: "<div>rows</div>", b"<body></body>", "no-cache"),
    ],
    ids=["the list", "nothing read yet", "a defect", "another page"],
)
def test_the_list_comes_with_its_rows_and_a_page_comes_in_any_case(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    problem: str | None,
    view: Callable[..., object],
    body: bytes,
    kept: str,
) -> None:
    monkeypatch.setattr(server.cache, "overview", lambda seconds: Known(None, problem, datetime.now(UTC)))
    monkeypatch.setattr(server, "first_view", view)
    answer = server._answer_page("<body></body>", path, Request({"type": "http", "query_string": b"sort=-loss"}))
    assert (answer.status_code, answer.body, answer.headers["cache-control"]) == (200, body, kept)
