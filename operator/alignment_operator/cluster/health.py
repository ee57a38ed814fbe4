"""Answers the kubelet: alive while the loop turns and the API server is heard where it should be; ready to lead, or leading."""

import time
from collections.abc import Callable

from aiohttp import web

# Two of the lists that a leading operator asks for in between may fail.
_LONGEST_SILENCE_SECONDS = 2000


class Health:
    """What the probes are told."""

    def __init__(self) -> None:
        self.hindrance: Callable[[], str | None] = lambda: "starting"
        """Why this replica neither leads nor could."""
        # A replica that waits for the lease has nothing to hear.
        self._last_sign: float | None = None

    def sign_of_life(self) -> None:
        """Note that the API server was heard."""
        self._last_sign = time.monotonic()

    @property
    def alive(self) -> bool:
        """Say whether the API server was heard lately, where it should have been."""
        return self._last_sign is None or time.monotonic() - self._last_sign < _LONGEST_SILENCE_SECONDS

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
            text="ok" if self.alive else "the API server was not heard for long", status=200 if self.alive else 503
        )

    async def _readyz(self, _: web.Request) -> web.Response:
        hindrance = self.hindrance()
        return web.Response(text=hindrance or "ok", status=503 if hindrance else 200)
