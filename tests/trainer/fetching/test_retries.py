"""The retry policy of downloads: transient errors, waits and messages, tested without a network."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import httpx2
import pytest
from alignment_api.exit_codes import consequence
from alignment_trainer.failures import BadData, Unreachable
from alignment_trainer.fetching import retries
from alignment_trainer.fetching.network_faults import Fault, TransientError, fault_of_answer, transient_fault
from alignment_trainer.fetching.retries import RetriesExhausted, RetryPolicy, with_retries
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

QUICK = RetryPolicy(tries=3, first_wait_seconds=0.01, longest_wait_seconds=0.02, longest_retry_after_seconds=0.03)


def of_hub(status, **headers):
    request = httpx2.Request("GET", "http://hub/x")
    return HfHubHTTPError("no", response=httpx2.Response(status, headers=headers, request=request))


def of_s3(status, code):
    about = {"HTTPStatusCode": status, "HTTPHeaders": {}}
    return ClientError({"Error": {"Code": code, "Message": ""}, "ResponseMetadata": about}, "GetObject")


def caused_by(error, cause):
    error.__cause__ = cause
    return error


def of_xet():
    def xet_get():
        raise RuntimeError("the store did not answer")

    try:
        xet_get()
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (of_hub(408), "the server answers 408 Request Timeout"),
        (of_hub(425), "the server answers 425 Too Early"),
        (of_hub(429), "the server answers 429 Too Many Requests"),
        (of_hub(500), "the server answers 500 Internal Server Error"),
        (of_hub(503), "the server answers 503 Service Unavailable"),
        (of_hub(599), "the server answers 599"),
        (of_hub(401), None),
        (of_hub(403), None),
        (of_hub(404), None),
        (of_s3(503, "SlowDown"), "the server answers 503 SlowDown"),
        (of_s3(400, "RequestTimeout"), "the server answers 400 RequestTimeout"),
        (of_s3(403, "AccessDenied"), None),
        (of_s3(404, "NoSuchKey"), None),
        (caused_by(OSError(16, "please reduce"), of_s3(503, "SlowDown")), "the server answers 503 SlowDown"),
        (caused_by(FileNotFoundError("x"), of_s3(404, "NoSuchKey")), None),
        (caused_by(PermissionError("x"), caused_by(of_hub(403), ConnectionResetError())), None),
        (EndpointConnectionError(endpoint_url="http://s3"), 'Could not connect to the endpoint URL: "http://s3"'),
        (ReadTimeoutError(endpoint_url="http://s3"), 'Read timeout on endpoint URL: "http://s3"'),
        (NoCredentialsError(), None),
        (aiohttp.ClientPayloadError("cut off"), "cut off"),
        (httpx2.ConnectError("refused"), "refused"),
        (httpx2.ReadTimeout("silence"), "silence"),
        (httpx2.UnsupportedProtocol("gopher"), None),
        (caused_by(httpx2.ConnectError("no"), ssl.SSLCertVerificationError("self-signed")), None),
        (socket.gaierror(-2, "Name or service not known"), "[Errno -2] Name or service not known"),
        (TimeoutError("late"), "late"),
        (OSError(113, "No route to host"), "[Errno 113] No route to host"),
        (OSError(28, "No space left on device"), None),
        (OfflineModeIsEnabled("offline"), None),
        (of_xet(), "the store did not answer"),
        (RuntimeError("a defect"), None),
        (TransientError("it changed"), "it changed"),
        (ValueError("no such split"), None),
        (BadData("no"), None),
    ],
    ids=lambda value: (str(value) or type(value).__name__)[:40],
)
def test_transient_faults(error, text):
    fault = transient_fault(error)
    assert (fault.text if fault else None) == text


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("7", 7), (" 120 ", 120), ("Fri, 28 Nov 2025 10:00:00 GMT", 0), ("soon", None), ("", None), ("-3", None)],
)
def test_retry_after_is_seconds_or_a_date(asked, seconds):
    assert fault_of_answer(429, {"retry-after": asked}).retry_after_seconds == seconds


def test_a_future_date_is_waited_for():
    day = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    assert fault_of_answer(503, {"Retry-After": day}).retry_after_seconds == pytest.approx(86_400, abs=3_600)


@pytest.mark.parametrize(
    ("tries", "asked", "seconds"),
    [
        (1, None, 2),
        (2, None, 4),
        (5, None, 32),
        (6, None, 60),
        (9, None, 60),
        (1, 30, 30),
        (6, 30, 60),
        (1, 0, 2),
        (1, 86_400, 600),
    ],
)
def test_the_wait_before_each_retry(tries, asked, seconds):
    assert RetryPolicy().wait_seconds(tries, Fault("", asked)) == seconds


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retries, "RETRY_POLICY", QUICK)


def failing(*errors):
    left = list(errors)

    def fetch():
        if left:
            raise left.pop(0)
        return "here"

    return fetch


def test_a_transient_fault_is_retried_and_each_wait_is_printed(capsys):
    assert with_retries("s3://b/k", failing(of_hub(503), ConnectionResetError("reset"))) == "here"
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("s3://b/k: the server answers 503 Service Unavailable (try 1 of 3); next try at ")
    assert second.startswith("s3://b/k: reset (try 2 of 3); next try at ")
    assert second.endswith(" UTC")


def test_after_the_last_try_the_source_is_unreachable():
    with pytest.raises(Unreachable) as remains:
        with_retries("s3://b/k", failing(*[of_hub(503)] * 3))
    assert str(remains.value) == (
        "s3://b/k cannot be downloaded now (the server answers 503 Service Unavailable; 3 tries); "
        "check the network and the endpoint; the stage tries again later"
    )
    assert consequence(remains.value.exit_code, remains.value.reason) == "Infrastructure"


def test_a_final_error_is_raised_at_once(capsys):
    with pytest.raises(HfHubHTTPError):
        with_retries("hf://a/b", failing(of_hub(404), of_hub(404)))
    assert not capsys.readouterr().err


def test_exhausted_retries_are_not_retried_again():
    tried = []

    def fetch():
        tried.append(1)
        raise RetriesExhausted(Unreachable("gone"))

    with pytest.raises(Unreachable, match="gone"):
        with_retries("hf://a/b", fetch)
    assert tried == [1]
