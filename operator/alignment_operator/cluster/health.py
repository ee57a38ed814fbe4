"""Answers the kubelet's probes: alive while the loop runs and a leader reaches the API server; ready if it leads or could."""

import time
from collections.abc import Callable

from aiohttp import web

# A leading operator lists all objects every 900 s; two of these requests may fail.
_LONGEST_SILENCE_SECONDS = 2000


class Health:
    """The answers to the probes."""

    def __init__(self) -> None:
        self.not_ready_reason: Callable[[], str | None] = lambda: "starting"
        """Returns why this replica neither leads nor could lead, or None."""
        # None until the first answer: a replica that waits for the lease asks for no lists.
        self._last_answer: float | None = None

    def note_answer(self) -> None:
        """Note that the API server has answered."""
        self._last_answer = time.monotonic()

    @property
    def alive(self) -> bool:
        """Return whether the API server has answered recently, if this replica has asked it."""
        return self._last_answer is None or time.monotonic() - self._last_answer < _LONGEST_SILENCE_SECONDS

    async def serve(self, port: int) -> None:
        """Serve /healthz and /readyz."""
        application = web.Application()
        application.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
        self.addresses = runner.addresses

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(
            text="ok" if self.alive else "the API server has not answered for a long time", status=200 if self.alive else 503
        )

    async def _readyz(self, _: web.Request) -> web.Response:
        not_ready_reason = self.not_ready_reason()
        return web.Response(text=not_ready_reason or "ok", status=503 if not_ready_reason else 200)
