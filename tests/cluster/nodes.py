"""Nodes of the test cluster that arrive late: until then they lack a label, and a device that two pods need on two nodes."""

import json

from cluster.kubectl import Kubectl

DEVICE = "alignment-suite.dev/port"
ARRIVED = {"alignment-suite.dev/arrived": "true"}


def prepare(kubectl: Kubectl, late: str) -> None:
    """Take label and device from the late node; all other nodes have one device."""
    for node in kubectl.list("nodes"):
        name = node["metadata"]["name"]
        _set(kubectl, name, devices=0 if name == late else 1, label=None)


def arrive(kubectl: Kubectl, late: str) -> None:
    """Give the late node what it lacks."""
    _set(kubectl, late, devices=1, label="true")


def _set(kubectl: Kubectl, node: str, devices: int, label: str | None) -> None:
    """Let a node report made-up devices, as it reports its GPUs, and set its label or remove it."""
    claimed = {"status": {kind: {DEVICE: str(devices)} for kind in ("capacity", "allocatable")}}
    kubectl("patch", "node", node, "--subresource", "status", "--type", "merge", "--patch", json.dumps(claimed))
    kubectl.patch("node", node, {"metadata": {"labels": dict.fromkeys(ARRIVED, label)}})
