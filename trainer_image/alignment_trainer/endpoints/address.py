"""Reads a URL's parts, and refuses a URL in which two programs could find different ones; pure."""

import ipaddress
import re
from typing import NamedTuple

FORM = (
    "https://host:port/path with only letters, digits and . _ ~ : - in the path, without a user name, "
    "'..', '%', '?', '#' or a dot at the end of the host"
)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[a-z0-9._~:-]*)*)",
    # Without ASCII, IGNORECASE takes U+212A for a k.
    re.ASCII | re.IGNORECASE,
)


class UnclearAddress(ValueError):
    """A URL is none, or one that programs may read differently; the text never holds the URL, which may hold a password."""


class Address(NamedTuple):
    """Whom a request reaches, and what below it."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Give what decides who receives a request."""
        return self.scheme, self.host, self.port

    def covers(self, other: "Address") -> bool:
        """Say whether another address is this one or lies below it."""
        return self.origin == other.origin and other.segments[: len(self.segments)] == self.segments

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}" + "".join(f"/{segment}" for segment in self.segments)


def read_address(url: str) -> Address:
    """Read a URL without a query; a slash at its end says nothing."""
    match = _URL.fullmatch(url)
    if match is None:
        raise UnclearAddress(f"is not of the form {FORM}")
    scheme = match["scheme"].lower()
    port = int(match["port"]) if match["port"] else _DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise UnclearAddress("has a port that is not between 1 and 65535")
    segments = tuple(match["path"].rstrip("/").split("/")[1:])
    if "." in segments or ".." in segments:
        raise UnclearAddress("has '.' or '..' in its path")
    return Address(scheme, _host(match["host"].lower()), port, segments)


def _host(written: str) -> str:
    if not written.startswith("["):
        return written
    try:
        return str(ipaddress.IPv6Address(written[1:-1]))
    except ValueError:
        raise UnclearAddress("has a host in brackets that is not an IPv6 address") from None
