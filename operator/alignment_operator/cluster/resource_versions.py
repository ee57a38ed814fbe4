"""Remembers the newest resourceVersion of every object, in whatever order lists, watch events and answers arrive."""

from collections.abc import Iterable
from typing import Any, NamedTuple

Object = dict[str, Any]


class Identity(NamedTuple):
    """The identity of an object."""

    kind: str
    namespace: str
    name: str


class ResourceVersions:
    """The newest version of each object, deleted ones included."""

    def __init__(self) -> None:
        self._newest: dict[Identity, int] = {}

    def take(self, found: Object) -> bool:
        """Remember an object's version, and return whether it is newer than the known one."""
        identity, version = identify(found), version_of(found)
        if version <= self._newest.get(identity, -1):
            return False
        self._newest[identity] = version
        return True

    def forget_missing(self, kind: str, listed: Iterable[Object], version: int) -> list[Identity]:
        """Forget the objects that are missing from a complete list of this version, and return them; newer objects stay."""
        listed_ones = {identify(found) for found in listed}
        missing = [
            identity
            for identity, newest in self._newest.items()
            if identity.kind == kind and newest <= version and identity not in listed_ones
        ]
        for identity in missing:
            del self._newest[identity]
        return missing


def identify(found: Object) -> Identity:
    """Return the identity of an object."""
    return Identity(found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"])


def version_of(found: Object) -> int:
    """Return the version of an object or a list as a number; the API server counts upwards."""
    return int(found["metadata"].get("resourceVersion") or 0)
