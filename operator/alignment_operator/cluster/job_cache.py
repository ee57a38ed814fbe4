"""A cache of AlignmentJobs, filled by lists, watch events and the answers to our own writes."""

from collections.abc import Iterable

from alignment_api.names import KIND

from alignment_operator.cluster.resource_versions import Object, ResourceVersions
from alignment_operator.deciding.observation import Key


class JobCache:
    """The newest version of each job by its key, and the keys by uid."""

    def __init__(self) -> None:
        self._versions = ResourceVersions()
        self._objects: dict[Key, Object] = {}
        self._keys: dict[str, Key] = {}

    def replace(self, listed: list[Object], version: int) -> set[Key]:
        """Take a complete list of this version, and return the keys of the jobs that are new or have changed."""
        news = {key_of(found) for found in listed if self.observe("ADDED", found)}
        gone = {Key(missing.namespace, missing.name) for missing in self._versions.forget_missing(KIND, listed, version)}
        for key in gone:
            self._drop(key)
        return news

    def observe(self, event: str | None, found: Object) -> bool:
        """Take one job from a watch event or an answer, and return whether it was news."""
        if not self._versions.take(found):
            return False
        key = key_of(found)
        self._drop(key)
        if event != "DELETED":
            metadata = {name: value for name, value in found["metadata"].items() if name != "managedFields"}
            self._objects[key] = {**found, "metadata": metadata}
            self._keys[metadata["uid"]] = key
        return True

    def get(self, key: Key) -> Object | None:
        """Return the newest version of a job."""
        return self._objects.get(key)

    def keys_of(self, uids: Iterable[str]) -> set[Key]:
        """Return the keys of the existing jobs with these uids."""
        return {self._keys[uid] for uid in uids if uid in self._keys}

    def uids(self) -> dict[str, Key]:
        """Return the keys of all jobs by their uids."""
        return dict(self._keys)

    def of_namespace(self, namespace: str) -> list[Key]:
        """Return the keys of the jobs in a namespace."""
        return [key for key in self._objects if key.namespace == namespace]

    def _drop(self, key: Key) -> None:
        known = self._objects.pop(key, None)
        if known is not None:
            self._keys.pop(known["metadata"]["uid"], None)


def key_of(found: Object) -> Key:
    """Return the key of a job."""
    return Key(found["metadata"]["namespace"], found["metadata"]["name"])
