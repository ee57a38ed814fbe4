"""The newest version of every object that was told of, in whatever order lists, watches and answers arrive."""

from collections.abc import Iterable
from typing import Any, NamedTuple

Object = dict[str, Any]


class Identity(NamedTuple):
    """Which object."""

    kind: str
    namespace: str
    name: str


class ResourceVersions:
    """What was told last of each object, removals included."""

    def __init__(self) -> None:
        self._newest: dict[Identity, int] = {}

    def take(self, found: Object) -> bool:
        """Say whether this is news of the object, and remember it."""
        identity, version = identify(found), version_of(found)
        if version <= self._newest.get(identity, -1):
            return False
        self._newest[identity] = version
        return True

    def forget_missing(self, kind: str, listed: Iterable[Object], version: int) -> list[Identity]:
        """Forget what a complete list of this version does not hold although it is as new; the answer names it."""
        there = {identify(found) for found in listed}
        missing = [
            identity
            for identity, newest in self._newest.items()
            if identity.kind == kind and newest <= version and identity not in there
        ]
        for identity in missing:
            del self._newest[identity]
        return missing


def identify(found: Object) -> Identity:
    """Name the object."""
    return Identity(found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"])


def version_of(found: Object) -> int:
    """Give the version of an object or a list: the API server counts upwards."""
    return int(found["metadata"].get("resourceVersion") or 0)
