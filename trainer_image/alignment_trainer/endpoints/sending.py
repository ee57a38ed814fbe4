"""Sends requests to an endpoint: the key is added last, only where it may be sent, and anew after each redirect."""

from typing import Any

import httpx2

from alignment_trainer.endpoints.key import Access
from alignment_trainer.endpoints.permission import Forbidden
from alignment_trainer.failures import BadConfiguration

_HEADER = "Authorization"


def http_client(access: Access | None, field: str, **options: Any) -> httpx2.AsyncClient:
    """Give a client that adds the key itself; an SDK that takes it as its `http_client` is given any other text as key."""

    async def admit(request: httpx2.Request) -> None:
        """Check a request before it is sent; httpx calls this again for each redirect that it follows."""
        # An SDK may have taken a key from the environment.
        request.headers.pop(_HEADER, None)
        if access is None:
            return
        try:
            access.permission.check(str(request.url))
        except Forbidden as error:
            raise BadConfiguration(f"{field}.baseUrl: {error}") from error
        request.headers[_HEADER] = f"Bearer {access.key.get_secret_value()}"

    # Without following, a redirect would be an empty answer; so it is either followed or refused with a sentence.
    return httpx2.AsyncClient(**{"follow_redirects": True, **options, "event_hooks": {"request": [admit]}})
