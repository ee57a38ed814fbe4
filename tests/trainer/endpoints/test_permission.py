"""Where a key may be sent, and the messages if it may not."""

from typing import Any

import pytest
from alignment_api.run_config import EndpointKey
from alignment_api.spec.endpoints import SecretKey
from alignment_trainer.endpoints.address import FORM
from alignment_trainer.endpoints.permission import Forbidden, permission

URL = "https://api.example.com/v1"
REFUSED = f"Secret 'teacher' does not allow its keys to be sent to {URL}; if its owner agrees, "
ENTRY = "the entry allowed-endpoints of Secret 'teacher' in namespace team"


def a_key(**others: Any) -> EndpointKey:
    return EndpointKey(
        **{
            "secret": SecretKey(name="teacher", key="api-key"),
            "namespace": "team",
            "file": "/etc/alignment-endpoints/0/key",
            "allowed_endpoints": "/etc/alignment-endpoints/0/allowed-endpoints",
            **others,
        }
    )


@pytest.mark.parametrize(
    "entry",
    [
        URL,
        f"{URL}/\n",
        "https://api.example.com",
        f"https://other.example.com/v1\n\n  {URL}\t\r\n",
        f"# the team's own budget\n{URL}",
    ],
)
def test_a_secret_that_names_the_endpoint_may_be_used(entry: str) -> None:
    permission(URL, a_key(), entry).check(f"{URL}/chat/completions?api-version=1")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            None,
            f"{REFUSED}run: kubectl patch secret teacher --namespace team --patch "
            """'{"stringData":{"allowed-endpoints":"https://api.example.com/v1"}}'""",
        ),
        ("", f"{REFUSED}add the line {URL} to {ENTRY}"),
        ("# nothing yet\n", f"{REFUSED}add the line {URL} to {ENTRY}"),
        ("https://api.example.com/v1/chat", f"{REFUSED}add the line {URL} to {ENTRY}"),
        (f"https://a.example.com\n{URL}evil", f"{REFUSED}add the line {URL} to {ENTRY}"),
        (f"{URL}\napi.example.com/v2", f"line 2 of {ENTRY} is not of the form {FORM}; correct it"),
        ("https://*.example.com/v1", f"line 1 of {ENTRY} is not of the form {FORM}; correct it"),
        (f"{URL}\nhttps://a:99999/v1", f"line 2 of {ENTRY} has a port that is not between 1 and 65535; correct it"),
        (f"{URL}/../v1", f"line 1 of {ENTRY} has '.' or '..' in its path; correct it"),
        (f"{URL} https://b.example.com", f"line 1 of {ENTRY} is not of the form {FORM}; correct it"),
    ],
)
def test_any_other_secret_is_refused_with_the_line_to_add(entry: str | None, sentence: str) -> None:
    with pytest.raises(Forbidden) as refused:
        permission(URL, a_key(), entry)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("entry", [None, "https://other.example.com"])
def test_on_one_machine_the_message_names_the_file(entry: str | None) -> None:
    file = "/home/me/.alignment/secrets/teacher/allowed-endpoints"
    with pytest.raises(Forbidden) as refused:
        permission(URL, a_key(namespace=None, allowed_endpoints=file), entry)
    assert str(refused.value) == f"{REFUSED}add the line {URL} to the file {file}"


@pytest.mark.parametrize("entry", ["sk-0123456789", f"https://user:sk-0123456789@{URL[8:]}", "https://host/v1?key=sk-0123456789"])
def test_the_content_of_a_secret_is_not_shown(entry: str) -> None:
    with pytest.raises(Forbidden) as refused:
        permission(URL, a_key(), entry)
    assert "sk-" not in str(refused.value)


def test_an_ambiguous_base_url_is_refused() -> None:
    with pytest.raises(Forbidden, match=r"^baseUrl has '\.' or '\.\.' in its path; correct it"):
        permission("https://api.example.com/v1/../admin", a_key(), "https://api.example.com")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://evil.com/v1", f"{URL} redirects to https://evil.com/v1, and a key is never sent to another server"),
        ("http://api.example.com/v1", f"{URL} redirects to http://api.example.com/v1, and a key is never sent to another server"),
        # The Secret allows this endpoint too, but it is another server.
        (
            "https://other.example.com/v1?token=sk-1",
            f"{URL} redirects to https://other.example.com/v1, and a key is never sent to another server",
        ),
        (
            "https://api.example.com/admin",
            f"{URL} redirects to https://api.example.com/admin, which the key's Secret does not allow",
        ),
        ("https://api.example.com@evil.com/v1", f"{URL} redirects to a URL that is not of the form"),
        ("https://api.example.com/v1/%2e%2e/admin", f"{URL} redirects to a URL that is not of the form"),
        ("https://api.example.com./v1", f"{URL} redirects to a URL that is not of the form"),
    ],
)
def test_each_request_is_checked_by_its_own_url(url: str, sentence: str) -> None:
    with pytest.raises(Forbidden) as refused:
        permission(URL, a_key(), f"{URL}\nhttps://other.example.com/v1").check(url)
    assert str(refused.value).startswith(sentence)
    assert "sk-" not in str(refused.value)
