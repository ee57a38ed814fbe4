"""Decides where an endpoint's key may be sent: only to that endpoint, and only if the key's Secret names its address; pure."""

from dataclasses import dataclass

from alignment_api.names import ALLOWED_ENDPOINTS_ENTRY
from alignment_api.run_config import EndpointKey

from alignment_trainer.endpoints.address import Address, UnclearAddress, read_address


class Forbidden(ValueError):
    """A key may not be sent to an address; the message says what to do, and contains nothing from a Secret."""


@dataclass(frozen=True)
class Permission:
    """The addresses to which one endpoint's key may be sent."""

    endpoint: Address
    prefixes: tuple[Address, ...]

    def check(self, url: str) -> None:
        """Raise Forbidden if a request, or the target of a redirect, must not get the key."""
        try:
            # The query does not decide which server receives the request.
            address = read_address(url.partition("?")[0])
        except UnclearAddress as error:
            raise Forbidden(f"{self.endpoint} redirects to a URL that {error}; the key is not sent there") from None
        if address.origin != self.endpoint.origin:
            raise Forbidden(
                f"{self.endpoint} redirects to {address}, and a key is never sent to another server; "
                f"if that server is the endpoint, set baseUrl to it, and allow it in the Secret"
            )
        if not any(prefix.covers(address) for prefix in self.prefixes):
            raise Forbidden(f"{self.endpoint} redirects to {address}, which the key's Secret does not allow; correct baseUrl")


def permission(base_url: str, key: EndpointKey, allowed: str | None) -> Permission:
    """Return the permission that the Secret's entry gives to an endpoint; `allowed` is None if the Secret has no such entry."""
    try:
        endpoint = read_address(base_url)
    except UnclearAddress as error:
        raise Forbidden(f"baseUrl {error}; correct it") from None
    prefixes = _prefixes(allowed, key)
    if not any(prefix.covers(endpoint) for prefix in prefixes):
        raise Forbidden(_refusal(endpoint, key, has_entry=allowed is not None))
    return Permission(endpoint, prefixes)


def _prefixes(allowed: str | None, key: EndpointKey) -> tuple[Address, ...]:
    """Read the entry, one prefix per line; one malformed line refuses all of them, because its author meant some limit."""
    found = []
    for number, line in enumerate((allowed or "").split("\n"), start=1):
        written = line.strip(" \t\r")
        if written and not written.startswith("#"):
            try:
                found.append(read_address(written))
            except UnclearAddress as error:
                raise Forbidden(f"line {number} of {_entry(key)} {error}; correct it") from None
    return tuple(found)


def _refusal(endpoint: Address, key: EndpointKey, has_entry: bool) -> str:
    sentence = f"Secret {key.secret.name!r} does not allow its keys to be sent to {endpoint}; if its owner agrees, "
    if key.namespace is None or has_entry:
        return f"{sentence}add the line {endpoint} to {_entry(key)}"
    patch = f'{{"stringData":{{"{ALLOWED_ENDPOINTS_ENTRY}":"{endpoint}"}}}}'
    return f"{sentence}run: kubectl patch secret {key.secret.name} --namespace {key.namespace} --patch '{patch}'"


def _entry(key: EndpointKey) -> str:
    if key.namespace is None:
        return f"the file {key.allowed_endpoints}"
    return f"the entry {ALLOWED_ENDPOINTS_ENTRY} of Secret {key.secret.name!r} in namespace {key.namespace}"
