"""Backends: each renders an attempt of a stage as objects of its world, and reads the state of the attempt from them."""

from typing import Any, NamedTuple, Protocol, TypeVar

from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings

Manifest = dict[str, Any]

Seen = TypeVar("Seen", contravariant=True)
"""What a world can see of a child beside the child itself: its pods, or a process."""


class Backend(Protocol[Seen]):
    """How one world runs an attempt of a stage; a module with these names is a backend."""

    def render(self, run: StageRun, settings: Settings) -> list[Manifest]:
        """Return the objects in the order in which they are created; the last one is the child."""

    def observe(self, child: Manifest, seen: Seen) -> Child:
        """Describe an attempt from its child and what its world can see of it."""


class Resource(NamedTuple):
    """How the Kubernetes API names a kind."""

    kind: str
    group: str
    version: str
    plural: str


class ClusterBackend(Backend[list[Manifest]], Protocol):
    """A backend whose child is a Kubernetes object that a controller turns into pods."""

    RESOURCE: Resource
    """The child's kind; the operator lists, watches, creates and deletes it."""

    BETWEEN: tuple[Resource, ...]
    """The kinds between the child and its pods, from the top; an object of each is controlled by one of the kind above it."""

    NOT_INSTALLED: tuple[str, str]
    """The reason and the sentence for a job whose cluster does not know the kind."""

    def observe_leftover(self, pods: list[Manifest]) -> Child:
        """Describe an attempt whose child is gone while some of its pods still end."""

    def is_replica(self, child: Manifest, pod: Manifest) -> bool:
        """Check that a pod has a name that the child's controller gives: anyone who creates pods can name any owner."""

    def first_pod(self, child: Manifest) -> str:
        """Return the name of the pod that answers for the whole attempt."""

    def was_lost(self, pod: Manifest) -> bool:
        """Check whether a pod was taken from its node, or its node stopped answering."""

    def trimmed(self, child: Manifest) -> Manifest:
        """Return the parts of a child's spec that the other functions read; a cluster may hold thousands of children."""
