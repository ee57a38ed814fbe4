"""Answers the kubelet: alive while the loop turns and, when leading, while the watches tell something."""

import time

from aiohttp import web

# The API server ends and renews every watch within this time, and bookmarks come each minute.
_LONGEST_SILENCE_SECONDS = 600


class Health:
    """What the probes are told."""

    def __init__(self) -> None:
        self.ready = False
        self._last_sign = time.monotonic()

    def sign_of_life(self) -> None:
        """Note that the API server was heard."""
        self._last_sign = time.monotonic()

    @property
    def alive(self) -> bool:
        """Say whether the API server was heard lately."""
        return time.monotonic() - self._last_sign < _LONGEST_SILENCE_SECONDS

    async def serve(self, port: int) -> None:
        """Serve /healthz and /readyz."""
        application = web.Application()
        application.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(
            text="ok" if self.alive else "the API server was not heard for long", status=200 if self.alive else 503
        )

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok" if self.ready else "starting", status=200 if self.ready else 503)
