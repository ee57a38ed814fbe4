"""Decides which download errors are transient: a busy server, a broken connection, a name that does not resolve."""

import errno
import http.client
import socket
import ssl
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from alignment_api.problems import first_line

from alignment_trainer.workspace.full_disk import causes_of, sign_of

_TRANSIENT_ANSWERS = {408, 425, 429}
_TRANSIENT_CODES = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestThrottled", "InternalError"}
"""Error codes of S3 that are transient even if the HTTP status does not show it."""

_TRANSIENT_NUMBERS = {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH}
_TRANSIENT_CLASSES = {
    "httpx2": ("TransportError",),
    "botocore.exceptions": ("HTTPClientError", "ConnectionError", "IncompleteReadError", "ResponseStreamingError"),
    "aiohttp": ("ClientConnectionError", "ClientPayloadError"),
    "fsspec.exceptions": ("FSTimeoutError",),
}
_FINAL_CLASSES = {
    "httpx2": ("UnsupportedProtocol", "LocalProtocolError"),
    "huggingface_hub.errors": ("OfflineModeIsEnabled",),
    "hf_xet": ("XetAuthenticationError", "XetObjectNotFoundError"),
}
_XET_DOWNLOAD = "xet_get"


class Fault(NamedTuple):
    """The text of a transient error, and how long the server asks clients to wait."""

    text: str
    retry_after_seconds: float | None = None


class TransientError(Exception):
    """A fault of this download that a retry may not meet."""


def transient_fault(error: BaseException) -> Fault | None:
    """Return the transient fault behind an error; None if a retry would fail the same way."""
    chain = list(causes_of(error))
    # The Xet store reports a full disk like a fault of the network.
    if sign_of(error) or any(isinstance(each, (ssl.SSLCertVerificationError, *_loaded(_FINAL_CLASSES))) for each in chain):
        return None
    for each in chain:
        answer = _answer(each)
        if answer:
            return fault_of_answer(*answer)
        if _is_transient(each):
            return Fault(first_line(each))
    return None


def fault_of_answer(status: int, headers: Mapping[str, str], code: str = "") -> Fault | None:
    """Return the fault of a server's answer that a retry may change; None if the answer is final."""
    if status not in _TRANSIENT_ANSWERS and status < 500 and code not in _TRANSIENT_CODES:
        return None
    phrase = code or http.client.responses.get(status, "")
    return Fault(f"the server answers {status} {phrase}".rstrip(), _retry_after_seconds(headers))


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, which is a number of seconds or a date (RFC 9110, section 10.2.3)."""
    asked = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if asked.isdecimal():
        return float(asked)
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _answer(error: BaseException) -> tuple[int, Mapping[str, str], str] | None:
    """Find the server's answer in an error of the Hub's or of S3's library."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        metadata = response.get("ResponseMetadata", {})
        if "HTTPStatusCode" in metadata:
            return metadata["HTTPStatusCode"], metadata.get("HTTPHeaders", {}), str(response.get("Error", {}).get("Code", ""))
        return None
    status = getattr(response, "status_code", None)
    return (status, response.headers, "") if isinstance(status, int) else None


def _is_transient(error: BaseException) -> bool:
    if isinstance(
        error, (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError, http.client.HTTPException, TransientError)
    ):
        return True
    if isinstance(error, OSError) and error.errno in _TRANSIENT_NUMBERS:
        return True
    return isinstance(error, _loaded(_TRANSIENT_CLASSES)) or _is_of_xet(error)


def _is_of_xet(error: BaseException) -> bool:
    """Recognize errors of the Hub's Xet store, which has no error classes for the network."""
    if not isinstance(error, RuntimeError):
        return False
    return any(frame.name == _XET_DOWNLOAD for frame in traceback.extract_tb(error.__traceback__))


def _loaded(classes: Mapping[str, tuple[str, ...]]) -> tuple[type[BaseException], ...]:
    """Return the classes of libraries that are imported; others cannot have raised an error."""
    return tuple(
        getattr(sys.modules[module], name) for module, names in classes.items() if module in sys.modules for name in names
    )
