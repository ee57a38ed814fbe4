"""Fixtures that the whole suite shares: one cluster, one installation and one workspace."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple

import pytest
from cluster import versions
from cluster.delays import Delays, delays
from cluster.environment import Environment, Missing, find_environment, forget_earlier_images, make_images
from cluster.installation import Installation, merged
from cluster.jobs import Job, delete
from cluster.kubectl import Kubectl, Object
from cluster.names import BESIDE, JOBS, OTHERS, RELEASES
from cluster.strangers import Victim, surrounded
from cluster.workspace import CLAIM, Workspace, claim, make_workspace

# The chart's pods must comply with the strictest standard. The init container that the training-operator adds to
# training pods does not comply with it.
STANDARDS = {RELEASES: "restricted", JOBS: "baseline", OTHERS: "baseline", BESIDE: "baseline"}

StartJob = Callable[[Object], Job]


@pytest.fixture(scope="session")
def environment() -> Environment:
    """Return the cluster, or end the test run with the reason why there is none."""
    try:
        return find_environment()
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def images(environment: Environment) -> Iterator[str]:
    """Build and push images of the current sources, and return their tag; at the end, only they stay on the disk."""
    try:
        tag = make_images(environment)
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)
    yield tag
    forget_earlier_images(environment, tag)


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
    kubectl.apply(*_volume_of_mlflow(environment, RELEASES))
    installation = Installation(kubectl, "suite", {**values, "watchNamespaces": [JOBS]})
    installation.apply()
    yield installation
    installation.remove()


@pytest.fixture(scope="session")
def workspace(environment: Environment, namespaces: None, images: str) -> Workspace:
    """Create the volume that the jobs share, with the inputs of examples/tiny.yaml."""
    return _workspace(environment, images, JOBS, "workspace")


@pytest.fixture(scope="session")
def elsewhere(environment: Environment, namespaces: None, images: str) -> Workspace:
    """Create such a volume in a namespace that the installation does not watch."""
    return _workspace(environment, images, OTHERS, "others")


class Beside(NamedTuple):
    """What runs beside other tests, one after the other, in an installation of its own."""

    delays: Future[Delays] | None
    """None on a foreign cluster, whose nodes cannot be prepared."""
    victim: Future[Victim]


@pytest.fixture(scope="session")
def beside(environment: Environment, installation: Installation, images: str, values: Object) -> Iterator[Beside]:
    """Begin the jobs that take long and wait much; two installations at once would both write the definition of jobs."""
    release = Installation(
        Kubectl(BESIDE), "beside", merged(values, {"watchNamespaces": [BESIDE], "dashboard": {"enabled": False}})
    )

    def install() -> Workspace:
        release.kubectl.apply(*_volume_of_mlflow(environment, BESIDE))
        stack.callback(release.remove)
        release.apply()
        return _workspace(environment, images, BESIDE, "beside")

    def run_delays() -> Delays:
        return stack.enter_context(delays(release, installed.result()))

    def run_victim() -> Victim:
        image = f"{environment.registry}/alignment-trainer:{images}"
        return stack.enter_context(surrounded(release, installed.result(), environment, image))

    with ExitStack() as stack, ThreadPoolExecutor(1) as thread:
        installed = thread.submit(install)
        yield Beside(thread.submit(run_delays) if environment.state else None, thread.submit(run_victim))


@pytest.fixture(scope="session")
def delayed(beside: Beside) -> Delays:
    """Wait until the jobs among delays have ended."""
    if beside.delays is None:
        pytest.skip("needs the cluster of this folder, whose nodes can be prepared and switched off")
    return beside.delays.result()


@pytest.fixture(scope="session")
def victim(beside: Beside) -> Victim:
    """Wait until the job among forged objects has ended."""
    return beside.victim.result()


@pytest.fixture(scope="session")
def other_versions_begun(
    environment: Environment, images: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[versions.Versions]]:
    """Build the images of other versions beside the first modules."""
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(versions.make_versions, environment, images, tmp_path_factory.mktemp("versions"))


@pytest.fixture(scope="session")
def other_versions(other_versions_begun: Future[versions.Versions]) -> versions.Versions:
    """Wait until these images are built."""
    try:
        return other_versions_begun.result()
    except versions.Missing as missing:
        raise pytest.fail.Exception(str(missing), pytrace=False) from None


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """Begin before the first test what tests of later modules wait for."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in ("beside", "other_versions_begun"):
        if name in wanted:
            request.getfixturevalue(name)


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


def _workspace(environment: Environment, images: str, namespace: str, volume: str) -> Workspace:
    image, folder = f"{environment.registry}/alignment-trainer:{images}", environment.folder(volume)
    workspace = make_workspace(Kubectl(namespace), image, environment.steady, folder, environment.storage_class)
    workspace.fill()
    return workspace


def _volume_of_mlflow(environment: Environment, namespace: str) -> list[Object]:
    return claim(namespace, "mlflow", "ReadWriteOnce", environment.folder(f"{namespace}-mlflow"), environment.storage_class)


def _clear(kubectl: Kubectl, environment: Environment) -> None:
    Installation(kubectl, "suite", {}).remove()
    for release in ("second", "rival", "upgraded"):
        Installation(Kubectl(OTHERS), release, {}).remove()
    Installation(Kubectl(BESIDE), "beside", {}).remove()
    kubectl("delete", "namespace", *STANDARDS, "--ignore-not-found")
    volumes = [*(f"{name}-mlflow" for name in (RELEASES, BESIDE)), *(f"{name}-{CLAIM}" for name in (JOBS, OTHERS, BESIDE))]
    kubectl.delete("persistentvolume", *volumes)
    for volume in (f"{RELEASES}-mlflow", f"{BESIDE}-mlflow", "workspace", "others", "beside"):
        folder = environment.folder(volume)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
