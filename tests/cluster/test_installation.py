"""An installation touches only its own namespaces, can be upgraded while jobs run, and keeps jobs and data on uninstall."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from alignment_api.names import JOB_LABEL
from builders import a_document
from cluster.installation import CHART, Installation, helm, merged
from cluster.jobs import TINY, Job, StartJob, short_job
from cluster.kubectl import DEFINITION, Kubectl, Object, wait_for
from cluster.names import JOBS, OTHERS, RELEASES
from cluster.schemas import write_schemas
from cluster.watch import Watch
from cluster.workspace import CLAIM, Workspace

OPTIONS = (
    "crds.enabled=false",
    "networkPolicy.enabled=true",
    "dashboard.ingress.enabled=true",
    "dashboard.ingress.host=alignment.example.com",
    "dashboard.ingress.tlsSecretName=tls",
)


@pytest.fixture(scope="module")
def second(operator_alone: Object) -> Iterator[Installation]:
    """Describe a second release for another namespace, without installing it."""
    release = Installation(Kubectl(OTHERS), "second", {**operator_alone, "watchNamespaces": [OTHERS]})
    yield release
    release.remove()


@pytest.fixture(scope="module")
def foreign(second: Installation, elsewhere: Workspace) -> Iterator[Job]:
    """Create a job in a namespace that the first release does not watch."""
    elsewhere.kubectl.apply(short_job("foreign", compute={**TINY["spec"]["compute"], "nodes": 1}))
    job = Job(elsewhere.kubectl, second, "foreign")
    yield job
    job.delete()


@pytest.fixture(scope="module")
def running(foreign: Job, second: Installation) -> Job:
    """Install a release for the namespace of that job, and wait until its pod runs."""
    second.apply()
    foreign.wait("the job runs", lambda status: status.get("phase") == "Running")
    return foreign


@pytest.fixture
def rival(operator_alone: Object) -> Iterator[Installation]:
    """Describe a release for the same namespace as the first, with another setting, without installing it."""
    own: Object = {"watchNamespaces": [JOBS], "trainer": {"graceSeconds": 90}}
    release = Installation(Kubectl(OTHERS), "rival", merged(operator_alone, own))
    yield release
    release.remove()


def uids(objects: list[Object]) -> set[str]:
    return {found["metadata"]["uid"] for found in objects}


def test_a_job_of_another_namespace_is_left_alone(foreign: Job, start: StartJob) -> None:
    # Once the operator has handled a later job, it had enough time to see the foreign one.
    later = start(a_document("later", suspend=True))
    later.wait("the operator sees the later job", lambda status: status.get("phase") == "Suspended")
    assert "status" not in foreign.read()
    assert foreign.children() == []


def test_a_second_operator_for_a_namespace_names_the_first_and_leaves_its_jobs_alone(
    rival: Installation, installation: Installation, start: StartJob
) -> None:
    nowhere = {**TINY["spec"]["compute"], "nodes": 1, "nodeSelector": {"disk": "floppy"}}
    with Watch(Kubectl(JOBS), "pytorchjobs", f"{JOB_LABEL}=contested") as children:
        job = start(short_job("contested", compute=nowhere))
        job.wait("the job waits", lambda status: status.get("reason") == "Unschedulable")
        # Do not wait: the second operator may never become ready while the first holds the lease.
        rival.apply(wait=False)
        wait_for(
            "the log of the second operator names the first",
            lambda: installation.name in rival.operator_log(),
            rival.operator_log,
            60,
        )
        job.change(suspend=True)
        job.wait("the first operator still handles the job", lambda status: status.get("phase") == "Suspended")
        assert {name: len(uids) for name, uids in children.uids().items()} == {"contested-sft-1": 1}
    assert "SettingsChanged" not in [reason for reason, _ in job.events()]


def test_an_upgrade_leaves_running_pods_alone(running: Job, second: Installation) -> None:
    pods, operators = uids(running.pods()), uids(second.operator_pods())
    second.apply({"trainer": {"graceSeconds": 90}})
    wait_for("the operator's pod is replaced", lambda: uids(second.operator_pods()).isdisjoint(operators), second.operator_log)
    assert uids(running.pods()) == pods


def test_uninstalling_keeps_jobs_and_data_and_reinstalling_continues_them(running: Job, second: Installation) -> None:
    job, children, pods = running.read(), uids(running.children()), uids(running.pods())
    second.remove()
    assert second.kubectl.list("deployments") == []
    assert second.kubectl.get("crd", DEFINITION) is not None
    assert second.kubectl.get("persistentvolumeclaim", CLAIM) is not None
    assert running.read()["metadata"]["uid"] == job["metadata"]["uid"]
    second.apply()
    running.wait_for_end()
    assert (uids(running.children()), uids(running.pods())) == (children, pods)
    assert running.stage("sft")["attempts"] == 1


def test_helm_test_reports_that_all_parts_work(installation: Installation) -> None:
    output = installation.test()
    for part in ("AlignmentJobs", "operator", "dashboard", "MLflow"):
        assert f"{part}: works" in output


@pytest.fixture(scope="module")
def everything() -> str:
    """Render the chart with all objects whose kinds the cluster has."""
    # A helm that was built without its release scripts assumes an old Kubernetes by default.
    rendering = ("--namespace", RELEASES, "--kube-version", "1.33.0", *(f"--set={option}" for option in OPTIONS))
    return helm("template", "all", str(CHART), *rendering)


def test_the_api_server_accepts_every_object_with_strict_validation(installation: Installation, everything: str) -> None:
    places: dict[str, list[Object]] = {}
    for found in filter(None, yaml.safe_load_all(everything)):
        places.setdefault(found["metadata"].get("namespace", RELEASES), []).append(found)
    # kubectl applies the objects of one namespace at a time.
    for namespace, objects in places.items():
        given = yaml.safe_dump_all(objects)
        Kubectl(namespace)("apply", "--dry-run=server", "--validate=strict", "--filename", "-", given=given)


def test_every_object_conforms_to_its_schema(installation: Installation, everything: str, tmp_path: Path) -> None:
    if shutil.which("kubeconform") is None:
        pytest.skip("kubeconform is not installed; the cluster of this folder installs it")
    schemas = write_schemas(installation.kubectl, tmp_path)
    check = ("kubeconform", "-strict", "-summary", "-schema-location", schemas)
    done = subprocess.run([*check, "-"], input=everything, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    spoilt = everything.replace("replicas:", "replica:")
    assert subprocess.run([*check, "-"], input=spoilt, capture_output=True, text=True, check=False).returncode == 1
