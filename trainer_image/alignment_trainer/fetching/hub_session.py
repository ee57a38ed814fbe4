"""Runs the Hub's library with our retry policy, because its own waits silently and without a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import huggingface_hub
from huggingface_hub.utils import _http

from alignment_trainer.failures import Unreachable
from alignment_trainer.fetching.network_faults import fault_of_answer, transient_fault
from alignment_trainer.fetching.retries import Backoff, RetriesExhausted
from alignment_trainer.workspace.activity import Advance

_SILENCE_SECONDS = 60.0
_REFUSALS = {"RepoNotFound", "RevisionNotFound", "GatedRepo"}


class Refused(BaseException):
    """Carries a refusal through libraries that would otherwise answer it from their cache with another revision."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _PatientClient(httpx2.Client):
    """Sends each request until it gets a final answer."""

    def __init__(self, what: str, advance: Advance) -> None:
        super().__init__(event_hooks={"request": [_http.hf_request_event_hook]}, follow_redirects=True, timeout=_SILENCE_SECONDS)
        self._backoff = Backoff(what)
        self._advance = advance

    def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Send a request, and retry it after transient faults."""
        _limit_silence(request)
        tries = 0
        while True:
            tries += 1
            try:
                response = super().send(request, **how)
                fault = fault_of_answer(response.status_code, response.headers)
            except httpx2.TransportError as error:
                fault = transient_fault(error)
                if fault is None:
                    raise Refused(error) from error
            else:
                if fault is None:
                    return self._final(response)
                response.close()
            self._pause(tries, fault)

    def _final(self, response: httpx2.Response) -> httpx2.Response:
        if response.status_code in (401, 403) or response.headers.get("X-Error-Code") in _REFUSALS:
            response.read()
            try:
                _http.hf_raise_for_status(response)
            except httpx2.HTTPError as error:
                raise Refused(error) from error
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _ResumableBody(response.stream, self._advance)
        return response

    def _pause(self, tries: int, fault: Any) -> None:
        try:
            self._backoff.pause(tries, fault)
        except Unreachable as failure:
            raise RetriesExhausted(failure) from failure


class _ResumableBody(httpx2.SyncByteStream):
    """A body that the Hub's library resumes after a broken connection, which it does for one class of errors only."""

    def __init__(self, body: httpx2.SyncByteStream, advance: Advance) -> None:
        self._body = body
        self._advance = advance

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body's parts, and count their bytes."""
        try:
            for part in self._body:
                self._advance(len(part))
                yield part
        except httpx2.NetworkError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._body.close()


@contextmanager
def retrying_hub(what: str, advance: Advance | None = None) -> Iterator[None]:
    """Run the Hub's libraries with our retry policy; a refusal is raised as their own error."""
    huggingface_hub.set_client_factory(lambda: _PatientClient(what, advance or _uncounted))
    try:
        yield
    except Refused as refused:
        raise refused.error from None
    finally:
        huggingface_hub.set_client_factory(_http.default_client_factory)


def _uncounted(_: int) -> None:
    """Count nothing."""


def _limit_silence(request: httpx2.Request) -> None:
    """Set a timeout, because some requests of the library have none."""
    limits = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {name: limits.get(name) or _SILENCE_SECONDS for name in ("connect", "read", "write", "pool")}
