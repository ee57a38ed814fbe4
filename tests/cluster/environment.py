"""The cluster that the tests run on: the one of this folder, or another one that two environment variables name."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Missing(Exception):
    """The tests lack something; the text names the remedy."""


@dataclass(frozen=True)
class Environment:
    """The registry, the storage class and the folder of the cluster under test."""

    registry: str
    storage_class: str | None
    """For workspaces on a foreign cluster; several nodes must be able to write to its volumes."""
    state: Path | None
    """The folder of the test cluster; None on a foreign cluster, whose nodes these tests cannot switch off."""

    @property
    def steady(self) -> dict[str, str]:
        """Return the node selector of the node that no test switches off."""
        return {"kubernetes.io/hostname": "node-1"} if self.state else {}

    def folder(self, name: str) -> Path | None:
        """Return a folder of this machine that can be a volume; None on a foreign cluster."""
        return self.state / "suite" / name if self.state else None

    def power(self, verb: str, node: int) -> None:
        """Switch a node of the test cluster off or on: node-down or node-up."""
        subprocess.run([HERE / "cluster", verb, str(node)], check=True, capture_output=True, timeout=300)


def find_environment() -> Environment:
    """Return the cluster that the variables name, or start the one of this folder; its programs come first on the PATH."""
    state = Path(os.environ.get("ALIGNMENT_CLUSTER_STATE") or Path.home() / ".cache/alignment-operator/cluster")
    own = state / "pki/admin.kubeconfig"
    named = os.environ.get("KUBECONFIG")
    if not (named and os.environ.get("IMAGE_REGISTRY")):
        started = subprocess.run([HERE / "cluster", "up"], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            raise Missing(f"the test cluster does not start: {started.stderr.strip().splitlines()[-1]}")
        os.environ.update(KUBECONFIG=str(own), IMAGE_REGISTRY="10.245.0.1:5000")
    is_own = os.environ["KUBECONFIG"] == str(own)
    os.environ["PATH"] = f"{state / 'bin'}:{os.environ['PATH']}" if is_own else os.environ["PATH"]
    return Environment(os.environ["IMAGE_REGISTRY"], os.environ.get("WORKSPACE_STORAGE_CLASS"), state if is_own else None)


def make_images(environment: Environment) -> str:
    """Build and push the images, and return their tag: a hash of their sources."""
    parts = ["Dockerfile", ".dockerignore", "requirements.lock", "crds", "operator", "dashboard", "trainer_image"]
    files = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *parts)
    present = "".join(f"{name}\n" for name in files.splitlines() if (ROOT / name).exists())
    tag = "suite-" + _run("git", "hash-object", "--stdin", given=_run("git", "hash-object", "--stdin-paths", given=present))[:12]
    own = ["TLS_VERIFY=false", f"PYTHON_IMAGE={environment.registry}/python:3.11-slim"] if environment.state else []
    _run("make", "images", f"REGISTRY={environment.registry}", f"TAG={tag}", *own)
    return tag


def forget_earlier_images(environment: Environment, tag: str) -> None:
    """Remove the images of earlier suites from the test cluster and this machine; a foreign cluster keeps its images."""
    if not environment.state:
        return
    _run(str(HERE / "cluster"), "prune", tag)
    own = f"{environment.registry}/alignment-"
    names = _run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
    earlier = [name for name in names if name.startswith(own) and not name.rpartition(":")[2].startswith(tag)]
    if earlier:
        _run("buildah", "rmi", *earlier)
    # a tag that was built again left its first image without a name
    _run("buildah", "rmi", "--prune")


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command[:2])} failed:\n{done.stderr[-3000:]}")
    return done.stdout
