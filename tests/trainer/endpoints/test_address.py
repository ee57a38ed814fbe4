"""URLs are read, and ambiguous ones are refused."""

import pytest
from alignment_trainer.endpoints.address import UnclearAddress, read_address

PREFIX = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        (PREFIX, "https://api.openai.com/v1"),
        (PREFIX, "https://api.openai.com/v1/"),
        (PREFIX + "/", "https://api.openai.com/v1"),
        (PREFIX, "https://api.openai.com/v1/chat/completions"),
        (PREFIX, "https://api.openai.com:443/v1/chat"),
        (PREFIX, "https://api.openai.com:0443/v1/chat"),
        (PREFIX, "HTTPS://API.OpenAI.com/v1"),
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com"),
        ("http://teacher.models.svc:8000/v1", "http://teacher.models.svc:8000/v1/models"),
        ("http://teacher:80", "http://teacher/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000/v1", "http://[0:0:0:0:0:0:0:1]:8000/v1"),
        ("http://[2001:DB8::1]/v1", "http://[2001:db8:0::1]:80/v1"),
        ("https://xn--mller-kva.de/v1", "https://XN--MLLER-KVA.de/v1"),
        ("https://a.example.com/v1beta/openai", "https://a.example.com/v1beta/openai/models/gemini:generate"),
    ],
)
def test_an_address_covers_the_paths_below_it(prefix: str, url: str) -> None:
    assert read_address(prefix).covers(read_address(url))


@pytest.mark.parametrize(
    "url",
    [
        # another host
        "https://api.openai.com.evil.com/v1",
        "https://evil.com/api.openai.com/v1",
        "https://evil-api.openai.com/v1",
        "https://openai.com/v1",
        "https://sub.api.openai.com/v1",
        "https://127.0.0.1/v1",
        "https://xn--pi-7ka.openai.com/v1",
        # another port
        "https://api.openai.com:80/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com:4430/v1",
        # another scheme
        "http://api.openai.com/v1",
        "http://api.openai.com:443/v1",
        # another path
        "https://api.openai.com",
        "https://api.openai.com/",
        "https://api.openai.com/v1evil",
        "https://api.openai.com/v10/chat",
        "https://api.openai.com/V1/chat",
        "https://api.openai.com//v1/chat",
        "https://api.openai.com/v2",
        "https://api.openai.com/evil/v1",
    ],
)
def test_an_address_covers_nothing_else(url: str) -> None:
    assert not read_address(PREFIX).covers(read_address(url))


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("http://[::1]:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1/v1", "http://2130706433/v1"),
        ("http://127.0.0.1/v1", "http://0x7f.1/v1"),
        ("http://127.0.0.1/v1", "http://127.1/v1"),
        ("http://127.0.0.1/v1", "http://[::ffff:127.0.0.1]/v1"),
        ("http://teacher/v1", "https://teacher/v1"),
    ],
)
def test_other_names_of_one_machine_are_other_addresses(prefix: str, url: str) -> None:
    assert not read_address(prefix).covers(read_address(url))


@pytest.mark.parametrize(
    "url",
    [
        # a user name, which may look like a host
        "https://api.openai.com@evil.com/v1",
        "https://api.openai.com:443@evil.com/v1",
        "https://user:secret@api.openai.com/v1",
        "https://@api.openai.com/v1",
        "https://evil.com\\@api.openai.com/v1",
        "https://evil.com#@api.openai.com/v1",
        "https://evil.com?@api.openai.com/v1",
        # a way up or sideways
        "https://api.openai.com/v1/../admin",
        "https://api.openai.com/v1/..",
        "https://api.openai.com/v1/./chat",
        "https://api.openai.com/v1/%2e%2e/admin",
        "https://api.openai.com/v1/%2E./admin",
        "https://api.openai.com/v1/..%2fadmin",
        "https://api.openai.com/v1/%252e%252e/admin",
        "https://api.openai.com/v1/..;/admin",
        "https://api.openai.com/v1\\..\\admin",
        "https://api.openai.com\\v1",
        "https:\\\\api.openai.com\\v1",
        "https://api.openai.com/v1%00",
        "https://api.openai.com/v1%2fchat",
        # hosts that programs end at different places
        "https://api.openai.com./v1",
        "https://api..openai.com/v1",
        "https://.api.openai.com/v1",
        "https://api.openai.com%2eevil.com/v1",
        "https://api.openai.com%00.evil.com/v1",
        "https://api.openai.com .evil.com/v1",
        "https://api.openai.com\t.evil.com/v1",
        "https://api.openai.com\n/v1",
        "https://api.openai.com/v1\n",
        " https://api.openai.com/v1",
        "https://\u0430pi.openai.com/v1",  # a Cyrillic letter
        "https://api\u3002openai.com/v1",  # an ideographic full stop
        "https://\uff41pi.openai.com/v1",  # a full-width letter
        "https://api.open\u212ai.com/v1",  # a Kelvin sign
        "https://api_openai.com/v1",
        # ports
        "https://api.openai.com:/v1",
        "https://api.openai.com:0/v1",
        "https://api.openai.com:65536/v1",
        "https://api.openai.com:443443/v1",
        "https://api.openai.com:443:80/v1",
        "https://api.openai.com:-443/v1",
        "https://api.openai.com:4\u06643/v1",  # an Arabic digit
        "https://api.openai.com:443.evil.com/v1",
        # IPv6
        "http://[::1/v1",
        "http://::1/v1",
        "http://[::1]evil.com/v1",
        "http://[::1].evil.com/v1",
        "http://[fe80::1%25eth0]/v1",
        "http://[api.openai.com]/v1",
        "http://[1.2.3.4]/v1",
        "http://[:::1]/v1",
        # what is no address of a server
        "",
        "/v1",
        "//api.openai.com/v1",
        "api.openai.com/v1",
        "https:/api.openai.com/v1",
        "https:api.openai.com/v1",
        "https:///v1",
        "https:////api.openai.com/v1",
        "file:///etc/passwd",
        "ftp://api.openai.com/v1",
        "javascript://api.openai.com/v1",
        "https://api.openai.com/v1?x=https://a",
        "https://api.openai.com/v1#part",
        "https://*.openai.com/v1",
    ],
)
def test_ambiguous_urls_are_refused(url: str) -> None:
    with pytest.raises(UnclearAddress) as refused:
        read_address(url)
    assert not url.strip() or url not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("HTTPS://API.openai.com:443/v1/", "https://api.openai.com/v1"),
        ("http://a:8000", "http://a:8000"),
        ("http://[0::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_shown_as_it_is_compared(url: str, shown: str) -> None:
    assert str(read_address(url)) == shown
    assert read_address(shown) == read_address(url)
