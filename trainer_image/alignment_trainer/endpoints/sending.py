"""Sends requests to an endpoint: the key is added last, only if it may be sent there, and again after each redirect."""

from typing import Any

import httpx2

from alignment_trainer.endpoints.key import Access, without_key
from alignment_trainer.endpoints.permission import Forbidden
from alignment_trainer.failures import BadConfiguration

_HEADER = "Authorization"


def http_client(access: Access | None, field: str, **options: Any) -> httpx2.AsyncClient:
    """Return a client that adds the key itself; give an SDK this client as `http_client`, and any other text as its key."""

    async def admit(request: httpx2.Request) -> None:
        """Check a request before it is sent; httpx calls this again for each redirect."""
        # An SDK may have taken a key from the environment.
        request.headers.pop(_HEADER, None)
        if access is None:
            return
        refusal = _refusal(access, str(request.url))
        if refusal:
            raise BadConfiguration(f"{field}.baseUrl: {refusal}")
        request.headers[_HEADER] = f"Bearer {access.key.get_secret_value()}"

    # If redirects were not followed, one would be an empty answer; this way it is followed or refused with a message.
    return httpx2.AsyncClient(**{"follow_redirects": True, **options, "event_hooks": {"request": [admit]}})


def _refusal(access: Access, url: str) -> str | None:
    """Return why the key may not be sent to a URL; None if it may."""
    try:
        access.permission.check(url)
    except Forbidden as error:
        return without_key(str(error), access) or "it redirects to an address that contains the key; correct baseUrl"
    return None
