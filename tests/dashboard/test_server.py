"""What the application answers beside its pages."""

import asyncio
from collections.abc import Coroutine

import pytest
from alignment_dashboard import server
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
