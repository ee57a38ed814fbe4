"""Sends requests with plain JSON to the Kubernetes API, through the connection and credentials of the official client."""

import json
from datetime import datetime
from email.utils import parsedate_to_datetime

from kubernetes.aio.client import ApiClient, ApiException

from alignment_operator.cluster.resource_versions import Object
from alignment_operator.deciding.untrusted import one_line

FIELD_MANAGER = "alignment-operator"
_TIMEOUT_SECONDS = 30


class RequestRefused(ApiException):
    """A request that failed; its text is one short line, since logs are read by the line."""

    def __str__(self) -> str:
        return one_line(f"{self.status} {self.reason}: {api_message(self)}")


class KubernetesApi:
    """Get, post, put and delete by path; a failure raises RequestRefused."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def get(self, path: str, **query: str) -> Object:
        """Read an object or a list."""
        found, _ = await self._request("GET", path, query, None)
        return found

    async def get_with_time(self, path: str, **query: str) -> tuple[Object, datetime | None]:
        """Read an object or a list, and the time of the API server's clock, which may differ from this node's."""
        return await self._request("GET", path, query, None)

    async def post(self, path: str, body: Object) -> Object:
        """Create an object."""
        written, _ = await self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body)
        return written

    async def put(self, path: str, body: Object) -> Object:
        """Replace an object, if it is still in the version that was read."""
        written, _ = await self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, body)
        return written

    async def delete(self, path: str, body: Object) -> Object:
        """Delete an object; the body carries preconditions."""
        answer, _ = await self._request("DELETE", path, {}, body)
        return answer

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


def api_message(error: ApiException) -> str:
    """Return the API server's own message about an error."""
    status = _status(error)
    return str(error.body) if status is None else str(status.get("message", ""))


def already_exists(error: ApiException) -> bool:
    """Return whether an object of that name exists, as opposed to a quota or a conflict with another writer."""
    return (_status(error) or {}).get("reason") == "AlreadyExists"


def _status(error: ApiException) -> Object | None:
    """Read the status in an API server's answer; None if something else answered, such as a proxy."""
    try:
        status = json.loads(error.body or "{}")
    except ValueError:
        return None
    return status if isinstance(status, dict) else None
