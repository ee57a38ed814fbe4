"""Plain JSON in and out of the Kubernetes API, through the official client's connection and credentials."""

import json
from datetime import datetime
from email.utils import parsedate_to_datetime

from kubernetes.aio.client import ApiClient, ApiException

from alignment_operator.cluster.resource_versions import Object
from alignment_operator.deciding.untrusted import one_line

FIELD_MANAGER = "alignment-operator"
_TIMEOUT_SECONDS = 30


class RequestRefused(ApiException):
    """What was not a success; as text it is one short line, since logs are read by the line."""

    def __str__(self) -> str:
        return one_line(f"{self.status} {self.reason}: {said(self)}")


class KubernetesApi:
    """Four verbs over paths; what is not a success raises RequestRefused."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def get(self, path: str, **query: str) -> Object:
        """Read an object or a list."""
        found, _ = await self._request("GET", path, query, None)
        return found

    async def get_with_time(self, path: str, **query: str) -> tuple[Object, datetime | None]:
        """Read an object or a list, and the API server's clock, which no clock of a node can be taken for."""
        return await self._request("GET", path, query, None)

    async def post(self, path: str, body: Object) -> Object:
        """Create an object."""
        written, _ = await self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body)
        return written

    async def put(self, path: str, body: Object) -> Object:
        """Replace an object as it was read."""
        written, _ = await self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, body)
        return written

    async def delete(self, path: str, body: Object) -> Object:
        """Delete an object; the body carries preconditions."""
        left, _ = await self._request("DELETE", path, {}, body)
        return left

    async def _request(
        self, method: str, path: str, query: dict[str, str], body: Object | None
    ) -> tuple[Object, datetime | None]:
        parameters = await self._client.param_serialize(
            method=method,
            resource_path=path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await self._client.call_api(*parameters, _request_timeout=_TIMEOUT_SECONDS)
        text = (await response.read()).decode()  # type: ignore[no-untyped-call]
        if not 200 <= response.status <= 299:
            raise RequestRefused(status=response.status, reason=response.reason, body=text)
        date = response.headers.get("Date")
        return json.loads(text), parsedate_to_datetime(date) if date else None


def said(error: ApiException) -> str:
    """Give the API server's own sentence about an error."""
    status = _status(error)
    return str(error.body) if status is None else str(status.get("message", ""))


def is_there_already(error: ApiException) -> bool:
    """Tell an object of that name from a quota or another writer that was in the way for a moment."""
    return (_status(error) or {}).get("reason") == "AlreadyExists"


def _status(error: ApiException) -> Object | None:
    """Read the API server's answer; None where something else, such as a proxy, has answered."""
    try:
        status = json.loads(error.body or "{}")
    except ValueError:
        return None
    return status if isinstance(status, dict) else None
