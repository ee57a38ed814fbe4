"""Prepares nodes of the test cluster: closes one to new pods, and gives each one device, so that two pods need two nodes."""

import contextlib
import json
from collections.abc import Iterator

from cluster.kubectl import Kubectl

DEVICE = "alignment-suite.dev/port"


def give_devices(kubectl: Kubectl) -> None:
    """Let each node report one made-up device, as it reports its GPUs."""
    claimed = json.dumps({"status": {kind: {DEVICE: "1"} for kind in ("capacity", "allocatable")}})
    for node in kubectl.list("nodes"):
        kubectl("patch", "node", node["metadata"]["name"], "--subresource", "status", "--type", "merge", "--patch", claimed)


@contextlib.contextmanager
def closed(kubectl: Kubectl, node: str) -> Iterator[None]:
    """Keep new pods off a node."""
    kubectl("cordon", node)
    try:
        yield
    finally:
        kubectl("uncordon", node)
