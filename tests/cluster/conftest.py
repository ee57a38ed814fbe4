"""One installation, one workspace and one cluster for the whole suite; jobs come and go."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from cluster.environment import Environment, Missing, find_environment, make_images
from cluster.installation import Installation, merged
from cluster.jobs import Job
from cluster.kubectl import Kubectl, Object
from cluster.names import JOBS, OTHERS, RELEASES
from cluster.workspace import CLAIM, Workspace, claim, make_workspace

# The chart promises that the strictest standard admits its pods. The init container that the training-operator
# adds to its own pods does not pass that one.
STANDARDS = {RELEASES: "restricted", JOBS: "baseline", OTHERS: "baseline"}

StartJob = Callable[[Object], Job]


@pytest.fixture(scope="session")
def environment() -> Environment:
    """The cluster."""
    try:
        return find_environment()
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def images(environment: Environment) -> str:
    """The tag of the images, as the sources are now."""
    try:
        return make_images(environment)
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def namespaces(environment: Environment, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fresh namespaces; after a failure they stay to be looked at."""
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
    """What every installation sets."""
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
    """The chart, installed for the namespace of the jobs only."""
    kubectl = Kubectl(RELEASES)
    kubectl.apply(*claim(RELEASES, "mlflow", "ReadWriteOnce", environment.folder("mlflow"), environment.storage_class))
    installation = Installation(kubectl, "suite", {**values, "watchNamespaces": [JOBS]})
    installation.apply()
    yield installation
    installation.remove()


@pytest.fixture(scope="session")
def workspace(environment: Environment, namespaces: None, images: str) -> Workspace:
    """The volume that the jobs share, with the inputs of examples/tiny.yaml."""
    image = f"{environment.registry}/alignment-trainer:{images}"
    folder = environment.folder("workspace")
    workspace = make_workspace(Kubectl(JOBS), image, environment.steady, folder, environment.storage_class)
    workspace.fill()
    return workspace


@pytest.fixture(scope="session")
def elsewhere(environment: Environment, namespaces: None, images: str) -> Workspace:
    """The same in a namespace that the installation was not made for."""
    image, folder = f"{environment.registry}/alignment-trainer:{images}", environment.folder("others")
    workspace = make_workspace(Kubectl(OTHERS), image, environment.steady, folder, environment.storage_class)
    workspace.fill()
    return workspace


@pytest.fixture(scope="session")
def operator_alone(installation: Installation, values: Object) -> Object:
    """What a further release sets that brings an operator and nothing else: it uses the MLflow server of the first."""
    own: Object = {
        "dashboard": {"enabled": False},
        "mlflow": {"enabled": False},
        "tracking": {"uri": f"http://{installation.name}-mlflow.{RELEASES}.svc:5000"},
    }
    return merged(values, own)


@pytest.fixture(scope="module")
def start(installation: Installation, workspace: Workspace) -> Iterator[StartJob]:
    """Apply a job; at the end of the module it is deleted."""
    started = []

    def run(document: Object) -> Job:
        workspace.kubectl.apply(document)
        started.append(Job(workspace.kubectl, installation, document["metadata"]["name"]))
        return started[-1]

    yield run
    for job in started:
        job.delete()


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
