"""Fixtures that the whole suite shares: one cluster, one installation and one workspace."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from cluster import versions
from cluster.beside import Beside, MakeFilled, run_beside
from cluster.delays import Delays
from cluster.environment import HERE, Environment, Missing, find_environment, forget_earlier_images, make_images
from cluster.installation import Installation, merged
from cluster.interruptions import Interruptions
from cluster.jobs import EXAMPLES, Job, StartJob, delete, start_job
from cluster.kills import Kills
from cluster.kubectl import Kubectl, Object
from cluster.names import BESIDE, JOBS, KILLED, OTHERS, RELEASES, TAUGHT
from cluster.strangers import Victim
from cluster.survival import Survived, survival
from cluster.upgrades import Upgraded, upgrades
from cluster.workspace import CLAIM, Workspace, make_workspace, packed, volume_of_mlflow

# The chart's pods must comply with the strictest standard. The init container that the training-operator adds to
# training pods does not comply with it.
STANDARDS = {RELEASES: "restricted", **dict.fromkeys((JOBS, OTHERS, BESIDE, KILLED, TAUGHT), "baseline")}

_WRONG_IMAGE = "test_a_wrong_image_is_named_and_the_job_completes_once_it_is_corrected"

# The order of modules and of one test; others have 0. The example needs two nodes, so it begins before anything has taken room
# beside it. Modules with 1 wait for what runs beside those with 0. The upgrade has the cluster to itself while an earlier
# definition of jobs is installed. It goes on while a node that nothing else uses by then is switched off; the wrong image, which
# waits much, needs only the other node.
TURNS = {
    "test_training": -1,
    **dict.fromkeys(("test_faults", "test_patience", "test_strangers", "test_suspend", "test_teachers"), 1),
    "test_upgrade": 2,
    _WRONG_IMAGE: 3,
    "test_survival": 4,
    "test_upgraded_jobs": 5,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules, and one test of another module, into the order in which they wait least."""
    items.sort(key=lambda item: TURNS.get(item.name, TURNS.get(item.path.stem, 0)) if item.path.parent == HERE else 0)


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
def trainer_image(environment: Environment, images: str) -> str:
    """Return the full name of the trainer's image."""
    return f"{environment.registry}/alignment-trainer:{images}"


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
def suite(values: Object) -> Installation:
    """Describe the installation for the namespace of the jobs only, without installing it."""
    return Installation(Kubectl(RELEASES), "suite", {**values, "watchNamespaces": [JOBS]})


@pytest.fixture(scope="session")
def installation(environment: Environment, namespaces: None, suite: Installation) -> Installation:
    """Install that release."""
    suite.kubectl.apply(*volume_of_mlflow(environment, RELEASES))
    suite.apply()
    return suite


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[str]]:
    """Make the inputs of examples/tiny.yaml beside the images, and pack them."""
    folder = tmp_path_factory.mktemp("inputs")

    def make() -> str:
        subprocess.run([sys.executable, EXAMPLES / "make_tiny.py", "--workspace", folder], check=True)
        return packed(folder)

    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(make)


@pytest.fixture(scope="session")
def make_filled(environment: Environment, namespaces: None, trainer_image: str, inputs: Future[str]) -> MakeFilled:
    """Return a function that creates a volume with these inputs."""

    def make(namespace: str, volume: str) -> Workspace:
        folder = environment.folder(volume)
        workspace = make_workspace(Kubectl(namespace), trainer_image, environment.steady, folder, environment.storage_class)
        workspace.unpack(inputs.result())
        return workspace

    return make


@pytest.fixture(scope="session")
def workspace(make_filled: MakeFilled) -> Workspace:
    """Create the volume that the jobs share."""
    return make_filled(JOBS, "workspace")


@pytest.fixture(scope="session")
def elsewhere(make_filled: MakeFilled) -> Workspace:
    """Create such a volume in a namespace that the installation does not watch."""
    return make_filled(OTHERS, "others")


@pytest.fixture(scope="session")
def beside(
    environment: Environment, suite: Installation, trainer_image: str, values: Object, make_filled: MakeFilled
) -> Iterator[Beside]:
    """Begin what runs beside other tests, while the suite's own release writes the definition of jobs."""
    # Few requests to the server that most jobs use.
    shared = merged(_mlflow_of(suite), {"tracking": {"progressIntervalSeconds": 5}})
    without_dashboard: Object = {"dashboard": {"enabled": False}}
    own: dict[str, Object] = {BESIDE: without_dashboard, TAUGHT: shared, KILLED: {**without_dashboard, **shared}}
    releases = {
        namespace: _beside(namespace, merged(values, {"crds": {"enabled": False}, "watchNamespaces": [namespace], **others}))
        for namespace, others in own.items()
    }
    with run_beside(environment, releases, trainer_image, make_filled) as begun:
        yield begun


@pytest.fixture(scope="session")
def delayed(beside: Beside, installation: Installation) -> Delays:
    """Wait until the jobs among delays have ended."""
    if beside.delays is None:
        pytest.skip("needs the cluster of this folder, whose nodes can be prepared and switched off")
    return beside.delays.result()


@pytest.fixture(scope="session")
def victim(beside: Beside, installation: Installation) -> Victim:
    """Wait until the job among forged objects has ended."""
    return beside.victim.result()


@pytest.fixture(scope="session")
def interrupted(beside: Beside, installation: Installation) -> Interruptions:
    """Wait until the jobs whose pods are killed have ended."""
    return beside.interruptions.result()


@pytest.fixture(scope="session")
def killed(beside: Beside, installation: Installation) -> Kills:
    """Wait until the jobs whose operator or process is killed have ended."""
    return beside.kills.result()


@pytest.fixture(scope="session")
def surviving(beside: Beside, installation: Installation, environment: Environment) -> Iterator[Future[Survived]]:
    """Begin the job that loses a pod and a node, where the jobs that were killed have ended."""
    # These jobs, too, use the node that is switched off.
    for future in (beside.victim, beside.interruptions):
        future.result()
    ended = beside.kills.result()
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(survival, ended.operator_killed.installation, ended.workspace, environment)


@pytest.fixture(scope="session")
def survived(surviving: Future[Survived]) -> Survived:
    """Wait until this job has ended."""
    return surviving.result()


@pytest.fixture
def beside_survival(request: pytest.FixtureRequest, wanted: set[str]) -> None:
    """Begin this job beside a test, if it is wanted at all."""
    if "surviving" in wanted:
        request.getfixturevalue("surviving")


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


@pytest.fixture(scope="session")
def upgraded(
    environment: Environment, elsewhere: Workspace, operator_alone: Object, other_versions: versions.Versions
) -> Iterator[Upgraded]:
    """Upgrade an installation while it has jobs, and once more beside the next tests."""
    release = Installation(Kubectl(OTHERS), "upgraded", {**operator_alone, "watchNamespaces": [OTHERS]})
    with upgrades(release, elsewhere, other_versions, environment.steady) as seen:
        yield seen


@pytest.fixture(scope="session")
def wanted(request: pytest.FixtureRequest) -> set[str]:
    """Return the names of all fixtures that the selected tests use."""
    return {name for item in request.session.items for name in getattr(item, "fixturenames", ())}


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest, wanted: set[str]) -> None:
    """Begin before the first test what tests of later modules wait for."""
    for name in ("inputs", "beside", "other_versions_begun"):
        if name in wanted:
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def operator_alone(installation: Installation, values: Object) -> Object:
    """Return the values of a further release with an operator only: it uses the MLflow server of the first release."""
    return merged(values, {"dashboard": {"enabled": False}, **_mlflow_of(installation)})


@pytest.fixture(scope="module")
def start(installation: Installation, workspace: Workspace) -> Iterator[StartJob]:
    """Return a function that applies a job; the jobs are deleted at the end of the module."""
    started: list[Job] = []

    def start(document: Object) -> Job:
        started.append(start_job(workspace.kubectl, installation, document))
        return started[-1]

    yield start
    delete(*started)


def _beside(namespace: str, values: Object) -> Installation:
    """Describe the release of a namespace for what runs beside other tests."""
    return Installation(Kubectl(namespace), namespace.removeprefix(f"{RELEASES}-"), values)


def _mlflow_of(installation: Installation) -> Object:
    """Return the values of a further release that uses the MLflow server of the first one."""
    address = f"http://{installation.name}-mlflow.{installation.kubectl.namespace}.svc:5000"
    return {"mlflow": {"enabled": False}, "tracking": {"uri": address}}


def _clear(kubectl: Kubectl, environment: Environment) -> None:
    releases = [
        Installation(kubectl, "suite", {}),
        *(Installation(Kubectl(OTHERS), release, {}) for release in ("second", "rival", "upgraded")),
        *(_beside(namespace, {}) for namespace in (BESIDE, KILLED, TAUGHT)),
    ]
    # Deleting the namespaces waits until all their objects are gone.
    with ThreadPoolExecutor(len(releases)) as beside:
        list(beside.map(lambda release: release.remove(wait=False), releases))
    kubectl("delete", "namespace", *STANDARDS, "--ignore-not-found")
    volumes = [f"{namespace}-{claim}" for namespace in STANDARDS for claim in ("mlflow", CLAIM)]
    kubectl.delete("persistentvolume", *volumes)
    folder = environment.folder("")
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
