"""Reads an endpoint's API key, if its Secret allows that endpoint, as a value that is never printed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alignment_api.run_config import EndpointKey, Paths, RunConfig
from alignment_api.spec.endpoints import Endpoint
from alignment_api.spec.parts import endpoints_of
from pydantic import SecretStr

from alignment_trainer.endpoints.permission import Forbidden, Permission, permission
from alignment_trainer.failures import BadConfiguration

_SHOWN_PART = 8
"""So many signs of a key in a row are a part of it, where no model has written them."""
_REPEATED_PART = 16
"""So many signs of a key in a row are no accident in a text that a model has written, either."""


@dataclass(frozen=True)
class Access:
    """A key with the addresses to which it may be sent; printing it does not show the key."""

    key: SecretStr
    permission: Permission


def access(endpoint: Endpoint, field: str, paths: Paths) -> Access | None:
    """Return the key for an endpoint; None if the endpoint needs no key."""
    if endpoint.api_key_secret is None:
        return None
    try:
        known, allowed = _permitted(endpoint, paths)
        return Access(_key(known), allowed)
    except Forbidden as error:
        raise BadConfiguration(f"{field}.apiKeySecret: {error}") from error


def without_key(text: str, access: Access | None) -> str:
    """Return what a server says, or nothing of it if it contains a part of the key."""
    return "" if access and _has_part(text, access, _SHOWN_PART) else text


def repeats_key(answer: str, access: Access | None) -> bool:
    """Return whether a model's answer contains the key, or a long part of it; a short key may be any word."""
    return (
        access is not None and len(access.key.get_secret_value()) >= _REPEATED_PART and _has_part(answer, access, _REPEATED_PART)
    )


def _has_part(text: str, access: Access, length: int) -> bool:
    key = access.key.get_secret_value()
    return any(key[start : start + length] in text for start in range(max(1, len(key) - length + 1)))


def key_faults(config: RunConfig) -> Iterator[str]:
    """Yield the faults of a stage's endpoints; keys of later stages are not mounted yet and not checked."""
    for field, endpoint in endpoints_of(config.stage):
        if endpoint.api_key_secret is None:
            continue
        try:
            known, _ = _permitted(endpoint, config.paths)
            if known.file:
                _key(known)
        except Forbidden as error:
            yield f"spec.stages[{config.stage_index}].{field}.apiKeySecret: {error}"


def advice_to_refused(endpoint: Endpoint, paths: Paths) -> str:
    """Return what to do about a server that refuses the key of an endpoint, or demands one."""
    if endpoint.api_key_secret is None:
        return "if the server demands a key, name the Secret that has it"
    known = _known(endpoint, paths)
    if known.namespace is None:
        return f"put a valid key for this server and model into {_place(known)}, and run again"
    return f"put a valid key for this server and model into {_place(known)}, then set suspend to true and back to false"


def _permitted(endpoint: Endpoint, paths: Paths) -> tuple[EndpointKey, Permission]:
    known = _known(endpoint, paths)
    allowed = _allowed(known)
    if allowed is None and known.namespace is None and known.file and not Path(known.file).exists():
        raise Forbidden(
            f"the file {known.file} does not exist; put the key there, and, if its owner agrees to send it to this server, "
            f"the line {endpoint.base_url} into the file {known.allowed_endpoints}"
        )
    return known, permission(endpoint.base_url, known, allowed)


def _known(endpoint: Endpoint, paths: Paths) -> EndpointKey:
    for known in paths.endpoint_keys or []:
        if known.secret == endpoint.api_key_secret:
            return known
    raise Forbidden("this RunConfig does not say where the key is; let the operator write the RunConfig")


def _allowed(known: EndpointKey) -> str | None:
    try:
        return Path(known.allowed_endpoints).read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Forbidden(f"{known.allowed_endpoints}: cannot be read ({error.strerror}); make it readable") from error


def _key(known: EndpointKey) -> SecretStr:
    """Read the key; a malformed one is refused here, with a message that does not contain it."""
    if known.file is None:
        raise Forbidden("the key is not given to this stage; let the operator write the RunConfig")
    try:
        written = Path(known.file).read_bytes().strip()
    except OSError as error:
        raise Forbidden(f"{known.file}: cannot be read ({error.strerror}); put the key there") from error
    if not written or not all(0x21 <= byte <= 0x7E for byte in written):
        raise Forbidden(f"{_place(known)} is not a key: it must be one word of printable ASCII; correct it")
    return SecretStr(written.decode("ascii"))


def _place(known: EndpointKey) -> str:
    if known.namespace is None:
        return f"the file {known.file}"
    return f"entry {known.secret.key!r} of Secret {known.secret.name!r}"
