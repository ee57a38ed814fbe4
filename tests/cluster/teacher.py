"""The example teacher on the cluster: a Deployment and a Service, its key in a Secret, and what it has counted."""

import json
import secrets
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cluster.kubectl import Kubectl, Object, wait_for
from cluster.workspace import CLAIM, USER, Workspace, packed

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME, PORT, KEY = "teacher", 8000, "api-key"
_FOLDER = "inputs/served"
_MODELS = f"{_FOLDER}/models"


@dataclass(frozen=True)
class Teacher:
    """A running server."""

    kubectl: Kubectl
    key: str

    @property
    def base_url(self) -> str:
        """Return its address, as jobs name it."""
        return f"http://{NAME}.{self.kubectl.namespace}.svc:{PORT}/v1"

    def answered(self) -> dict[str, int]:
        """Return how often it has answered each request, by the request's digest."""
        with self.kubectl.forwarded(NAME, PORT) as address, urllib.request.urlopen(f"{address}/counts", timeout=30) as answer:
            counted: dict[str, int] = json.load(answer)["answered"]
        return counted

    def restarts(self) -> int:
        """Return how often its container has started again, and forgotten what it had counted."""
        pods = self.kubectl.list("pods", f"app={NAME}")
        return sum(known["restartCount"] for pod in pods for known in pod["status"].get("containerStatuses", []))


def start_teacher(workspace: Workspace, image: str, node_selector: dict[str, str]) -> Teacher:
    """Start the server with examples/models, and wait until it answers."""
    kubectl = workspace.kubectl
    workspace.unpack(packed(EXAMPLES, "*.py"), _FOLDER)
    workspace.unpack(packed(EXAMPLES / "models"), _MODELS)
    workspace.python(f"{_FOLDER}/make_teacher.py")
    teacher = Teacher(kubectl, secrets.token_urlsafe(24))
    kubectl.apply(*_objects(teacher, image, node_selector))
    wait_for("the teacher answers", lambda: _is_ready(kubectl), lambda: kubectl("describe", "pods", "--selector", f"app={NAME}"))
    return teacher


def _objects(teacher: Teacher, image: str, node_selector: dict[str, str]) -> list[Object]:
    program = (EXAMPLES / "teacher.py").read_text(encoding="utf-8")
    entries = {KEY: teacher.key, "allowed-endpoints": teacher.base_url}
    service = {"selector": {"app": NAME}, "ports": [{"port": PORT}]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"teacher.py": program}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": entries},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": service},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME},
            "spec": {
                "selector": {"matchLabels": {"app": NAME}},
                "template": {"metadata": {"labels": {"app": NAME}}, "spec": _pod(image, node_selector)},
            },
        },
    ]


def _pod(image: str, node_selector: dict[str, str]) -> Object:
    command = ["python", "/etc/teacher/teacher.py", f"/workspace/{_MODELS}", "--host", "0.0.0.0", "--port", str(PORT)]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": node_selector,
        "securityContext": {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER, "runAsNonRoot": True},
        "containers": [
            {
                "name": "teacher",
                "image": image,
                "command": [*command, "--api-key-file", f"/etc/key/{KEY}"],
                "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
                # without a request, it would get no processor while pods of jobs compute
                "resources": {"requests": {"cpu": "100m"}},
                "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2},
                "volumeMounts": [
                    {"name": "program", "mountPath": "/etc/teacher"},
                    {"name": "key", "mountPath": "/etc/key"},
                    {"name": "workspace", "mountPath": "/workspace", "readOnly": True},
                ],
            }
        ],
        "volumes": [
            {"name": "program", "configMap": {"name": NAME}},
            {"name": "key", "secret": {"secretName": NAME, "items": [{"key": KEY, "path": KEY}]}},
            {"name": "workspace", "persistentVolumeClaim": {"claimName": CLAIM}},
        ],
    }


def _is_ready(kubectl: Kubectl) -> bool:
    found = kubectl.get("deployment", NAME)
    return found is not None and found["status"].get("readyReplicas") == 1
