"""A small API server for tests, over HTTP: it stores, versions, lists and refuses objects as Kubernetes does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

Object = dict[str, Any]

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class ApiServer:
    """Objects by path, a clock that tests move, and all requests in order."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[str] = []
        self.seconds = 0.0
        self.refusals: dict[str, tuple[int, str]] = {}
        """Status and message with which a request such as "PUT /apis/..." is refused."""
        self.validate: Callable[[Object], str | None] = lambda _: None
        """Returns what is wrong with an object that is being written."""
        self.prune: Callable[[Object], Object] = lambda status: status
        """Returns the part of a status that is stored."""
        self._version = 0

    @property
    def now(self) -> datetime:
        return _BEGINNING + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return the monotonic clock of the operators under test; only tests move it."""
        return 1000.0 + self.seconds

    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]

    def store(self, path: str, found: Object, manager: str = "kubectl") -> Object:
        """Store an object as a request would."""
        self._version += 1
        time = self.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = {"namespace": path.split("/namespaces/")[1].split("/")[0]} if "/namespaces/" in path else {}
        metadata = {"uid": f"uid-{self._version}", **namespace, **found["metadata"], "name": path.rsplit("/", 1)[1]}
        metadata |= {"resourceVersion": str(self._version), "managedFields": [{"manager": manager, "time": time}]}
        self.objects[path] = {**found, "metadata": metadata}
        return self.objects[path]

    async def answer(self, request: web.Request) -> web.Response:
        asked = f"{request.method} {request.path}"
        self.requests.append(asked)
        if asked in self.refusals:
            return self._refuse(*self.refusals[asked])
        body = json.loads(await request.text() or "{}")
        problem = self.validate(body) if request.method in ("POST", "PUT") else None
        if problem:
            return self._refuse(422, problem)
        return {"GET": self._get, "POST": self._post, "PUT": self._put, "DELETE": self._delete}[request.method](request, body)

    def _get(self, request: web.Request, _: Object) -> web.Response:
        if request.path in self.objects:
            return self._give(self.objects[request.path])
        root, _, plural = request.path.rpartition("/")
        under = [found for path, found in self.objects.items() if f"/{plural}/" in path and path.startswith(root)]
        if not under and not request.query:
            return self._refuse(404, "NotFound")
        selector = request.query.get("fieldSelector", "")
        name = selector.removeprefix("metadata.name=") if selector.startswith("metadata.name=") else None
        items = [found for found in under if name in (None, found["metadata"]["name"])]
        begin, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or len(items))
        rest = {"continue": str(begin + limit)} if begin + limit < len(items) else {}
        metadata = {"resourceVersion": str(self._version), **rest}
        return self._give({"kind": "List", "metadata": metadata, "items": items[begin : begin + limit]})

    def _post(self, request: web.Request, body: Object) -> web.Response:
        path = f"{request.path}/{body['metadata']['name']}"
        if path in self.objects:
            return self._refuse(409, "AlreadyExists")
        return self._give(self.store(path, body), 201)

    def _put(self, request: web.Request, body: Object) -> web.Response:
        path = request.path.removesuffix("/status")
        known = self.objects.get(path)
        if known is None:
            return self._refuse(404, "NotFound")
        if body["metadata"].get("resourceVersion", known["metadata"]["resourceVersion"]) != known["metadata"]["resourceVersion"]:
            return self._refuse(409, "Conflict")
        if request.path.endswith("/status"):
            body["status"] = self.prune(body["status"])
        return self._give(self.store(path, {**known, **body, "metadata": {**known["metadata"], **body["metadata"]}}))

    def _delete(self, request: web.Request, body: Object) -> web.Response:
        known = self.objects.pop(request.path, None)
        return self._refuse(404, "NotFound") if known is None else self._give({"kind": "Status", "status": "Success"})

    def _give(self, body: Object, status: int = 200) -> web.Response:
        return web.json_response(body, status=status, headers={"Date": format_datetime(self.now, usegmt=True)})

    def _refuse(self, status: int, sentence: str) -> web.Response:
        return self._give({"kind": "Status", "code": status, "reason": sentence, "message": sentence}, status)


def with_api(act: Callable[[ApiServer, ApiClient], Awaitable[None]]) -> None:
    """Run `act` with a server on a port of this machine, and a client for it."""

    async def run() -> None:
        server = ApiServer()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{port}"
        try:
            async with ApiClient(configuration) as client:
                await act(server, client)
        finally:
            await runner.cleanup()

    asyncio.run(run())
