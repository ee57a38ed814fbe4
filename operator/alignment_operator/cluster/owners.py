"""Which child a pod belongs to, along the chain of controllers from the pod up to the child."""

from collections.abc import Container

from alignment_api.names import GROUP, KIND

from alignment_operator.backends import ClusterBackend
from alignment_operator.cluster.resource_versions import Object

_Place = tuple[str, str]
"""Namespace and name."""


class Owners:
    """The controllers of objects between children and their pods, and the pods whose chain is not complete yet."""

    def __init__(self, backend: ClusterBackend) -> None:
        self._between = [resource.kind for resource in backend.BETWEEN]
        kinds = [KIND, backend.RESOURCE.kind, *self._between, "Pod"]
        self._controller_kinds = dict(zip(kinds[1:], kinds[:-1], strict=True))
        self._controllers: dict[str, str] = {}
        """By the uid of an object between a child and its pods, the uid of its controller."""
        self._waiting: dict[_Place, tuple[str, Object]] = {}
        """Pods that were seen before the objects above them, each with the uid of its controller."""

    def controller_uid(self, found: Object) -> str:
        """Return the uid of the object that controls this one, if it is of the kind that creates such objects."""
        wanted = self._controller_kinds[found["kind"]]
        for owner in found["metadata"].get("ownerReferences", []):
            if owner.get("controller") and owner.get("kind") == wanted:
                is_ours = wanted != KIND or owner.get("apiVersion", "").startswith(f"{GROUP}/")
                return str(owner.get("uid", "")) if is_ours else ""
        return ""

    def child_uid(self, uid: str) -> str:
        """Return the uid of the child above a pod's controller; empty if an object between them was not seen yet."""
        for _ in self._between:
            uid = self._controllers.get(uid, "")
        return uid

    def is_between(self, kind: str) -> bool:
        """Check whether objects of a kind only connect pods with a child."""
        return kind in self._between

    def connect(self, found: Object, controller: str) -> list[tuple[str, Object]]:
        """Take an object between a child and its pods; return the waiting pods whose child is now known, each with its uid."""
        self._controllers[found["metadata"]["uid"]] = controller
        resolved = [(place, self.child_uid(uid), pod) for place, (uid, pod) in self._waiting.items() if self.child_uid(uid)]
        for place, _, _ in resolved:
            del self._waiting[place]
        return [(child_uid, pod) for _, child_uid, pod in resolved]

    def wait(self, place: _Place, controller: str, pod: Object) -> None:
        """Keep a pod until the objects above it are seen."""
        self._waiting[place] = controller, pod

    def drop(self, place: _Place) -> None:
        """Forget a deleted pod that was waiting."""
        self._waiting.pop(place, None)

    def disconnect(self, uid: str, children: Container[str]) -> None:
        """Forget a deleted object between a child and its pods, unless its child is among the known ones: pods may outlive it."""
        if not self._leads_to(uid, children):
            self._controllers.pop(uid, None)

    def forget(self, child_uid: str) -> None:
        """Forget the objects below a child that is gone with all its pods."""
        for uid in [uid for uid in self._controllers if self._leads_to(uid, {child_uid})]:
            del self._controllers[uid]

    def _leads_to(self, uid: str, children: Container[str]) -> bool:
        for _ in self._between:
            uid = self._controllers.get(uid, "")
            if uid in children:
                return True
        return False
