"""Reads a URL's parts, and refuses a URL that two programs could read differently; pure."""

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
    # Without ASCII, IGNORECASE matches U+212A (Kelvin sign) as k.
    re.ASCII | re.IGNORECASE,
)


class UnclearAddress(ValueError):
    """A text that is no URL, or that programs may read differently; the message omits it, since it may contain a password."""


class Address(NamedTuple):
    """The server that a URL names, and the path on it."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and port, which decide who receives a request."""
        return self.scheme, self.host, self.port

    def covers(self, other: "Address") -> bool:
        """Return whether another address is this one or below it."""
        return self.origin == other.origin and other.segments[: len(self.segments)] == self.segments

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}" + "".join(f"/{segment}" for segment in self.segments)


def read_address(url: str) -> Address:
    """Read a URL without a query; a slash at its end is ignored."""
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
