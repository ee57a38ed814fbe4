"""The nodes of the test cluster: one is closed to new pods, and each has one of a device, so that two pods need two nodes."""

import contextlib
import json
from collections.abc import Iterator

from cluster.kubectl import Kubectl

DEVICE = "alignment-suite.dev/port"


def give_devices(kubectl: Kubectl) -> None:
    """Let each node claim one device that does not exist, as it claims its GPUs."""
    claimed = json.dumps({"status": {kind: {DEVICE: "1"} for kind in ("capacity", "allocatable")}})
    for node in kubectl.list("nodes"):
        kubectl("patch", "node", node["metadata"]["name"], "--subresource", "status", "--type", "merge", "--patch", claimed)


@contextlib.contextmanager
def closed(kubectl: Kubectl, node: str) -> Iterator[None]:
    """Take no new pod on a node."""
    kubectl("cordon", node)
    try:
        yield
    finally:
        kubectl("uncordon", node)
