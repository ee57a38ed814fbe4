"""Fixtures that the whole suite shares: one cluster, one installation and one workspace."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from cluster.environment import Environment, Missing, find_environment, make_images
from cluster.installation import Installation, merged
from cluster.jobs import Job, delete
from cluster.kubectl import Kubectl, Object
from cluster.names import JOBS, OTHERS, RELEASES
from cluster.workspace import CLAIM, Workspace, claim, make_workspace

# The chart's pods must comply with the strictest standard. The init container that the training-operator adds to
# training pods does not comply with it.
STANDARDS = {RELEASES: "restricted", JOBS: "baseline", OTHERS: "baseline"}

StartJob = Callable[[Object], Job]


@pytest.fixture(scope="session")
def environment() -> Environment:
    """Return the cluster, or end the test run with the reason why there is none."""
    try:
        return find_environment()
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def images(environment: Environment) -> str:
    """Build and push images of the current sources, and return their tag."""
    try:
        return make_images(environment)
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def namespaces(environment: Environment, request: pytest.FixtureRequest) -> Iterator[None]:
    """Create the namespaces; after a failed test they are kept for inspection."""
    kubectl = Kubectl(RELEASES)
    _clear(kubectl, environment)
    for name, standard in STANDARDS.items():
        labels = {"pod-security.kubernetes.io/enforce": standard}
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield
    if not request.session.testsfailed:
        _clear(kubectl, environment)


@pytest.fixture(scope="session")
def values(environment: Environment, images: str) -> Object:
    """Return the values that every installation sets."""
    return {
        "image": {"registry": environment.registry},
        "operator": {"image": {"tag": images}, "nodeSelector": environment.steady},
        "dashboard": {"image": {"tag": images}, "nodeSelector": environment.steady},
        "mlflow": {"nodeSelector": environment.steady, "storage": {"existingClaim": "mlflow"}},
        "trainer": {"image": {"tag": images}, "graceSeconds": 60, "firstRetryDelaySeconds": 1},
        "tracking": {"progressIntervalSeconds": 2},
    }


@pytest.fixture(scope="session")
def installation(environment: Environment, namespaces: None, values: Object) -> Iterator[Installation]:
    """Install the chart for the namespace of the jobs only."""
    kubectl = Kubectl(RELEASES)
    kubectl.apply(*claim(RELEASES, "mlflow", "ReadWriteOnce", environment.folder("mlflow"), environment.storage_class))
    installation = Installation(kubectl, "suite", {**values, "watchNamespaces": [JOBS]})
    installation.apply()
    yield installation
    installation.remove()


@pytest.fixture(scope="session")
def workspace(environment: Environment, namespaces: None, images: str) -> Workspace:
    """Create the volume that the jobs share, with the inputs of examples/tiny.yaml."""
    image = f"{environment.registry}/alignment-trainer:{images}"
    folder = environment.folder("workspace")
    workspace = make_workspace(Kubectl(JOBS), image, environment.steady, folder, environment.storage_class)
    workspace.fill()
    return workspace


@pytest.fixture(scope="session")
def elsewhere(environment: Environment, namespaces: None, images: str) -> Workspace:
    """Create such a volume in a namespace that the installation does not watch."""
    image, folder = f"{environment.registry}/alignment-trainer:{images}", environment.folder("others")
    workspace = make_workspace(Kubectl(OTHERS), image, environment.steady, folder, environment.storage_class)
    workspace.fill()
    return workspace


@pytest.fixture(scope="session")
def operator_alone(installation: Installation, values: Object) -> Object:
    """Return the values of a further release with an operator only: it uses the MLflow server of the first release."""
    own: Object = {
        "dashboard": {"enabled": False},
        "mlflow": {"enabled": False},
        "tracking": {"uri": f"http://{installation.name}-mlflow.{RELEASES}.svc:5000"},
    }
    return merged(values, own)


@pytest.fixture(scope="module")
def start(installation: Installation, workspace: Workspace) -> Iterator[StartJob]:
    """Return a function that applies a job; the jobs are deleted at the end of the module."""
    started = []

    def run(document: Object) -> Job:
        workspace.kubectl.apply(document)
        started.append(Job(workspace.kubectl, installation, document["metadata"]["name"]))
        return started[-1]

    yield run
    delete(*started)


def _clear(kubectl: Kubectl, environment: Environment) -> None:
    Installation(kubectl, "suite", {}).remove()
    for release in ("second", "rival", "upgraded"):
        Installation(Kubectl(OTHERS), release, {}).remove()
    kubectl("delete", "namespace", *STANDARDS, "--ignore-not-found")
    for name in (f"{RELEASES}-mlflow", f"{JOBS}-{CLAIM}", f"{OTHERS}-{CLAIM}"):
        kubectl.delete("persistentvolume", name)
    for volume in ("mlflow", "workspace", "others"):
        folder = environment.folder(volume)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
