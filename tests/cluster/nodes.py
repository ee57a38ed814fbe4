"""Nodes of the test cluster that arrive late: until then they lack a label, or a device that two pods need on two nodes."""

import json

from cluster.kubectl import Kubectl

DEVICE = "alignment-suite.dev/port"
ARRIVED = {"alignment-suite.dev/arrived": "true"}


def prepare(kubectl: Kubectl, late: str) -> None:
    """Take label and device from the late node; all other nodes have one device."""
    for node in kubectl.list("nodes"):
        name = node["metadata"]["name"]
        kubectl.patch("node", name, {"metadata": {"labels": dict.fromkeys(ARRIVED, None)}})
        _set_devices(kubectl, name, 0 if name == late else 1)


def give_device(kubectl: Kubectl, node: str) -> None:
    """Let a node have its device."""
    _set_devices(kubectl, node, 1)


def label(kubectl: Kubectl, node: str) -> None:
    """Set the label of nodes that have arrived."""
    kubectl.patch("node", node, {"metadata": {"labels": ARRIVED}})


def _set_devices(kubectl: Kubectl, node: str, count: int) -> None:
    """Let a node report made-up devices, as it reports its GPUs."""
    claimed = {"status": {kind: {DEVICE: str(count)} for kind in ("capacity", "allocatable")}}
    kubectl("patch", "node", node, "--subresource", "status", "--type", "merge", "--patch", json.dumps(claimed))
