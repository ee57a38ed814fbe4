"""Sends one question to one server, once, and reads what came of it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2
from alignment_api.problems import first_line
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, omit

from alignment_trainer.endpoints.dialect import LIMIT, SEED, refused_parameters, spoken
from alignment_trainer.endpoints.key import Access, repeats_key, without_key
from alignment_trainer.endpoints.question import Question, Server
from alignment_trainer.endpoints.replies import Fault, Reply, fault_of_status, read_completion
from alignment_trainer.endpoints.sending import http_client

_NO_KEY = "added-by-the-client"
_TIMEOUT_SECONDS = 600
_CONNECT_SECONDS = 30
_LONGEST_SAID = 300
_OF_AN_ACCOUNT = {"OpenAI-Organization": omit, "OpenAI-Project": omit}
"""Headers that the SDK takes from the environment, which is not part of the job."""


class Wire:
    """The connections to one server."""

    def __init__(self, server: Server, access: Access | None) -> None:
        self._endpoint, self._access = server.endpoint, access
        self.refused: frozenset[str] = frozenset()
        """The parameters that the server has refused, and is not sent again."""
        self._seconds = server.endpoint.timeout_seconds or _TIMEOUT_SECONDS
        client = http_client(
            access,
            server.field,
            timeout=httpx2.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds), pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=server.endpoint.concurrency),
        )
        self._client = AsyncOpenAI(
            base_url=server.endpoint.base_url,
            api_key=_NO_KEY,
            max_retries=0,
            http_client=client,
            default_headers=_OF_AN_ACCOUNT,  # type: ignore[arg-type]
        )

    async def send(self, question: Question) -> Reply | Fault:
        """Send a question; what the server did wrong is returned, and only a forbidden redirect is raised."""
        left_out = self.refused
        try:
            # The client's own time limit begins again with each byte that arrives.
            async with asyncio.timeout(self._seconds):
                return await self._send(question, left_out)
        except (TimeoutError, APITimeoutError) as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout):
                return _no_connection("timeout")
            return Fault("Down", "Timeout", f"has not answered within {self._seconds} s")
        except APIStatusError as error:
            # Others that were sent at the same time may have learned it already.
            if refused := refused_parameters(error.status_code, error.param, str(error.body), question) - left_out:
                self.refused |= refused
                return Fault("Unusable", f"Status{error.status_code}", spoken(refused), is_unpaid=True)
            said = self._said(error.body)
            return fault_of_status(error.status_code, error.response.headers, said, datetime.now(UTC))
        except APIConnectionError as error:
            if isinstance(error.__cause__, httpx2.ConnectError):
                return _no_connection(first_line(error.__cause__))
            return Fault("Down", "ConnectionLost", "closed the connection before the end of its answer")
        except (json.JSONDecodeError, UnicodeDecodeError):
            return Fault("Down", "NoJson", "answers 200 with text that is not JSON")

    async def _send(self, question: Question, left_out: frozenset[str]) -> Reply | Fault:
        tokens = question.sampling.maximum_tokens
        completion: object = await self._client.chat.completions.create(
            model=self._endpoint.model,
            messages=list(question.messages),  # type: ignore[arg-type]
            temperature=question.sampling.temperature,
            top_p=question.sampling.top_p,
            seed=omit if SEED in left_out else question.seed,
            n=1,
            max_tokens=omit if LIMIT in left_out else tokens,
            max_completion_tokens=tokens if LIMIT in left_out else omit,
        )
        reply = read_completion(completion, question.needs_end)
        if isinstance(reply, Fault):
            return reply
        if repeats_key(reply.text, self._access):
            return Fault("Rejected", "KeyInAnswer", "repeats the API key in its answer", usage=reply.usage)
        return reply._replace(model=without_key(reply.model, self._access))

    def _said(self, body: object) -> str:
        """Return the server's own sentence about an error, if it shows nothing of the key."""
        found = body.get("message") or body.get("detail") if isinstance(body, Mapping) else None
        if not isinstance(found, str):
            return ""
        return without_key(" ".join(found.split()), self._access)[:_LONGEST_SAID]

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _no_connection(why: str) -> Fault:
    return Fault("Down", "NoConnection", f"accepts no connection ({why})", is_unpaid=True, never_arrived=True)
