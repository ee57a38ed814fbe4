"""The workspace volume: creates it, writes files to it, and reads them."""

import base64
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.environment import Environment
from cluster.kubectl import Kubectl, Object, Refused, wait_for

CLAIM = "alignment-workspace"
_PATH = "/workspace"
_KEEPER = "workspace"
USER = 10001


@dataclass(frozen=True)
class Workspace:
    """A volume that all nodes can write to, accessed through a pod that mounts it."""

    kubectl: Kubectl
    folder: Path | None
    """The volume as this machine sees it; None on a foreign cluster."""

    def unpack(self, archive: str, path: str = ".") -> None:
        """Write what was packed into a folder."""
        self._run(
            "sh", "-c", f"mkdir -p {_PATH}/{path} && base64 -d | tar --extract --gzip --directory {_PATH}/{path}", given=archive
        )

    def python(self, path: str) -> None:
        """Run a program of the volume that takes the workspace as its argument."""
        self._run("python", f"{_PATH}/{path}", "--workspace", _PATH)

    def say(self, program: str) -> str:
        """Run a program in the pod that keeps the volume, and return what it prints."""
        return self._run("python", "-", given=program)

    def read(self, path: str) -> str | None:
        """Return the text of a file, or None if it does not exist."""
        if self.folder:
            # Waiting tests read journals three times a second; a command in a pod each time would slow training down.
            file = self.folder / path
            return file.read_text() if file.exists() else None
        try:
            return self._run("cat", f"{_PATH}/{path}")
        except Refused as refusal:
            if "No such file" in str(refusal):
                return None
            raise

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; an empty list if it does not exist."""
        return self._run("sh", "-c", f"ls {_PATH}/{path} 2>/dev/null || true").split()

    def points(self, stage: str) -> list[dict[str, Any]]:
        """Return the journal of a stage's folder without an incomplete last line."""
        text = self.read(f"{stage}/metrics.jsonl") or ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def checkpoints(self, stage: str) -> list[int]:
        """Return the steps of a stage's checkpoints, the newest last."""
        names = self.names(f"{stage}/checkpoints")
        return sorted(int(name.removeprefix("step-")) for name in names if name.startswith("step-"))

    def _run(self, *command: str, given: str | None = None) -> str:
        return self.kubectl("exec", "--stdin", _KEEPER, "--", *command, given=given)


def packed(folder: Path, pattern: str = "*") -> str:
    """Return files and folders of a folder as a compressed tar in base64."""
    archived = io.BytesIO()
    with tarfile.open(fileobj=archived, mode="w:gz") as archive:
        for path in sorted(folder.glob(pattern)):
            archive.add(path, path.name)
    return base64.b64encode(archived.getvalue()).decode()


def make_workspace(
    kubectl: Kubectl, image: str, node_selector: dict[str, str], folder: Path | None, storage_class: str | None
) -> Workspace:
    """Create the claim, on a folder of this machine or of a storage class, and the pod that keeps it mounted."""
    kubectl.apply(*claim(kubectl.namespace, CLAIM, "ReadWriteMany", folder, storage_class), _keeper(image, node_selector))
    wait_for("the workspace is mounted", lambda: _is_running(kubectl), lambda: kubectl("describe", "pod", _KEEPER))
    return Workspace(kubectl, folder)


def claim(namespace: str, name: str, mode: str, folder: Path | None, storage_class: str | None) -> list[Object]:
    """Return a claim, and its volume if that is a folder of this machine, which all nodes of the test cluster share."""
    size = {"storage": "10Gi"}
    wanted: Object = {"accessModes": [mode], "resources": {"requests": size}}
    claimed: Object = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": wanted}
    if folder is None:
        return [{**claimed, "spec": {**wanted, **({"storageClassName": storage_class} if storage_class else {})}}]
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, USER, USER)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{name}"},
        "spec": {
            "capacity": size,
            "accessModes": [mode],
            "hostPath": {"path": str(folder)},
            "claimRef": {"namespace": namespace, "name": name},
        },
    }
    return [volume, {**claimed, "spec": {**wanted, "storageClassName": "", "volumeName": f"{namespace}-{name}"}}]


def volume_of_mlflow(environment: Environment, namespace: str) -> list[Object]:
    """Return the claim, and perhaps the volume, of an installation's MLflow server."""
    return claim(namespace, "mlflow", "ReadWriteOnce", environment.folder(f"{namespace}-mlflow"), environment.storage_class)


def _keeper(image: str, node_selector: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _KEEPER},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": node_selector,
            "securityContext": {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER, "runAsNonRoot": True},
            "containers": [
                {
                    "name": "keeper",
                    "image": image,
                    "command": ["sleep", "infinity"],
                    # without a request, what runs in it would get no processor while pods of jobs compute
                    "resources": {"requests": {"cpu": "50m"}},
                    "volumeMounts": [{"name": "workspace", "mountPath": _PATH}],
                }
            ],
            "volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": CLAIM}}],
        },
    }


def _is_running(kubectl: Kubectl) -> bool:
    pod = kubectl.get("pod", _KEEPER)
    return pod is not None and pod["status"].get("phase") == "Running"
