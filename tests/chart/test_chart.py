"""The chart renders the objects that its values describe, and refuses values that cannot work."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from alignment_api.heartbeat import HEARTBEAT_PORT
from alignment_operator.backends import pytorchjob
from alignment_operator.settings import Settings
from builders import a_job, a_run

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/alignment-operator"
CLUSTER = Path(os.environ.get("ALIGNMENT_CLUSTER_STATE") or Path.home() / ".cache/alignment-operator/cluster")
EVERYTHING = (
    "networkPolicy.enabled=true",
    'networkPolicy.dashboardFrom=[{"namespaceSelector":{"matchLabels":{"name":"ingress"}}}]',
    'networkPolicy.metricsFrom=[{"namespaceSelector":{}}]',
    "serviceMonitor.enabled=true",
    "dashboard.ingress.enabled=true",
    'dashboard.ingress.host="alignment.example.com"',
    'dashboard.ingress.tlsSecretName="alignment-tls"',
    'tracking.publicUrl="https://mlflow.example.com/"',
    'imagePullSecrets=[{"name":"registry"}]',
    'trainer.imagePullSecrets=[{"name":"registry-of-the-jobs"}]',
    'operator.nodeSelector={"kubernetes.io/os":"linux"}',
    'operator.tolerations=[{"key":"control","operator":"Exists"}]',
)
SOME_NAMESPACES = 'watchNamespaces=["team-a","team-b"]'
OWN_TRACKING = ("mlflow.enabled=false", 'tracking.uri="https://mlflow.example.com"')
OWN_LOCKED_TRACKING = (*OWN_TRACKING, 'tracking.credentialsSecret="mlflow-login"')
INSTALLATIONS = {
    "default": (),
    "everything": EVERYTHING,
    "namespaces": (SOME_NAMESPACES,),
    "everything in namespaces": (SOME_NAMESPACES, *EVERYTHING),
    "own tracking": OWN_TRACKING,
    "own tracking with a password": OWN_LOCKED_TRACKING,
}
# A helm that was built without its release scripts assumes an old Kubernetes by default.
RENDERING = ("--namespace", "aligning", "--kube-version", "1.33.0")

Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Return a function that runs helm; its caller checks for failures."""
    program = shutil.which("helm") or shutil.which("helm", path=CLUSTER / "bin")
    if program is None:
        pytest.skip("helm is not on the PATH and not in the test cluster's folder: install it, or run tests/cluster/cluster up")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="session")
def attempt(helm: Helm) -> Helm:
    """Return a function that renders the chart with some values; this may fail."""

    @cache
    def run(*values: str) -> subprocess.CompletedProcess[str]:
        return helm("template", "release", str(CHART), *RENDERING, *flags(values))

    return run


@pytest.fixture(scope="session")
def render(attempt: Helm) -> Render:
    """Return a function that renders the chart and returns its objects."""

    def run(*values: str) -> list[dict[str, Any]]:
        done = attempt(*values)
        assert done.returncode == 0, done.stderr
        return objects_in(done.stdout)

    return run


def objects_in(text: str) -> list[dict[str, Any]]:
    # The definition is long: the parser in C takes a sixth of the time.
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def flags(values: tuple[str, ...]) -> list[str]:
    return [part for value in values for part in ("--set-json", value)]


def of_kind(kind: str, objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for found in objects:
        if found["kind"] == "Pod":
            yield found["metadata"]["name"], found["spec"]
        elif "template" in found.get("spec", {}):
            yield found["metadata"]["name"], found["spec"]["template"]["spec"]


def environment(objects: list[dict[str, Any]], deployment: str) -> dict[str, str]:
    [container] = of_kind("Deployment", objects)[deployment]["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def violations_of_restricted(pod: dict[str, Any]) -> list[str]:
    """Return how a pod violates the Pod Security Standard `restricted`, and two rules of ours."""
    found = [f"shares {field} with the node" for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in pod.get("volumes", []):
        found += [f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - allowed]
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
        found.append("may run as root")
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        found.append("has no seccomp profile")
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            found.append("may escalate privileges")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            found.append("keeps capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            found.append("writes to its root file system")
        if not {"requests", "limits"} <= set(container.get("resources", {})):
            found.append("has no resources")
    return found


def test_lint(helm: Helm) -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_every_installation_is_restricted_and_labelled(values: tuple[str, ...], render: Render) -> None:
    objects = render(*values)
    assert {name: violations_of_restricted(pod) for name, pod in pods(objects)} == {name: [] for name, _ in pods(objects)}
    assert len({(found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"]) for found in objects}) == len(
        objects
    )
    for found in objects:
        assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "alignment-operator"
        assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@pytest.mark.parametrize("values", INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_selectors_match_their_pods(values: tuple[str, ...], render: Render) -> None:
    objects = render(*values)
    deployments = of_kind("Deployment", objects)
    for name, service in of_kind("Service", objects).items():
        template = deployments[name]["spec"]["template"]
        assert service["spec"]["selector"] == template["metadata"]["labels"]
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for name, policy in of_kind("NetworkPolicy", objects).items():
        if name.endswith("-trainer"):
            continue  # it selects training pods, which the chart does not create
        assert policy["spec"]["podSelector"]["matchLabels"] == deployments[name]["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("values", INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_rights_have_no_wildcards_and_no_secrets(values: tuple[str, ...], render: Render) -> None:
    roles = [found for found in render(*values) if found["kind"] in ("Role", "ClusterRole")]
    assert roles
    for rule in (rule for role in roles for rule in role["rules"]):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
        assert not {"secrets", "serviceaccounts", "roles", "rolebindings", "pods/exec"} & set(rule["resources"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])


def may(objects: list[dict[str, Any]], resource: str) -> set[tuple[str | None, str | None, str]]:
    """Return the verbs on a resource, each with the namespace and the object name that it is restricted to."""
    return {
        (role["metadata"].get("namespace"), name, verb)
        for role in objects
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
        if resource in rule["resources"]
        for name in rule.get("resourceNames", [None])
        for verb in rule["verbs"]
    }


def lease(namespace: str, name: str) -> set[tuple[str | None, str | None, str]]:
    return {(namespace, None, "create"), (namespace, name, "get"), (namespace, name, "update")}


def test_rights_on_leases_are_restricted_to_names(render: Render) -> None:
    of_release = lease("aligning", "release-alignment-operator")
    of_all = lease("kube-system", "all.alignment-operator.dev") | {(None, "alignment-operator.dev", "list")}
    of_some = lease("team-a", "alignment-operator.dev") | lease("team-b", "alignment-operator.dev")
    assert may(render(), "leases") == of_release | of_all
    assert may(render(SOME_NAMESPACES), "leases") == of_release | of_some


def test_configmaps_can_be_created_and_deleted_but_not_read(render: Render) -> None:
    assert may(render(), "configmaps") == {(None, None, "create"), (None, None, "delete")}


def test_events_can_be_written_and_listed_only_where_jobs_are(render: Render) -> None:
    assert may(render(), "events") == {(None, None, "create"), (None, None, "list")}
    assert {namespace for namespace, _, _ in may(render(SOME_NAMESPACES), "events")} == {"team-a", "team-b"}


def test_the_dashboard_may_only_read(render: Render) -> None:
    rules = of_kind("ClusterRole", render())["release-alignment-operator-dashboard"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert {(resource, *rule["verbs"]) for rule in rules for resource in rule["resources"]} == {
        ("alignmentjobs", "get", "list", "watch"),
        ("events", "list"),
    }


def test_an_installation_for_some_namespaces_has_no_right_in_others(render: Render) -> None:
    objects = render(SOME_NAMESPACES)
    assert not of_kind("ClusterRole", objects) and not of_kind("ClusterRoleBinding", objects)
    roles = [(found["metadata"].get("namespace"), found["metadata"]["name"]) for found in objects if found["kind"] == "Role"]
    assert sorted(roles, key=lambda role: (role[0] or "", role[1])) == [
        ("aligning", "release-alignment-operator-lease"),
        ("team-a", "release-alignment-operator"),
        ("team-a", "release-alignment-operator-dashboard"),
        ("team-b", "release-alignment-operator"),
        ("team-b", "release-alignment-operator-dashboard"),
    ]
    for binding in (found for found in objects if found["kind"] == "RoleBinding"):
        assert [subject["namespace"] for subject in binding["subjects"]] == ["aligning"]
    assert json.loads(environment(objects, "release-alignment-operator")["ALIGNMENT_WATCH_NAMESPACES"]) == ["team-a", "team-b"]
    assert json.loads(environment(objects, "release-alignment-operator-dashboard")["ALIGNMENT_NAMESPACES"]) == [
        "team-a",
        "team-b",
    ]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("dashbord.enabled=false", "dashbord"),
        ("dashboard.ingres.enabled=true", "ingres"),
        ("trainer.graceSecond=10", "graceSecond"),
        ("operator.image.pullPolicy=true", "operator/image/pullPolicy"),
        ("operator.replicas=0", "operator/replicas"),
        ('mlflow.storage.size="large"', "mlflow/storage/size"),
        ('watchNamespaces="team-a"', "watchNamespaces"),
        ('watchNamespaces=["Team A"]', "watchNamespaces/0"),
        ('operator.image.digest="latest"', "operator/image/digest"),
        ('tracking.uri="mlflow:5000"', "tracking/uri"),
        ('tracking.credentialsSecret="Mlflow Login"', "tracking/credentialsSecret"),
        ('tracking.credentialsSecret="mlflow-login"', "leave it empty, or set mlflow.enabled=false and tracking.uri."),
        (
            "mlflow.enabled=false",
            "There is no MLflow server: set tracking.uri to an existing server, or set mlflow.enabled=true.",
        ),
        ('tracking.uri="http://mlflow:5000"', "set mlflow.enabled=false, or leave tracking.uri empty."),
        ("dashboard.ingress.enabled=true", "dashboard.ingress.host is empty: set the host name that browsers use."),
    ],
)
def test_an_invalid_value_is_refused_by_name(value: str, sentence: str, attempt: Helm) -> None:
    done = attempt(value)
    assert done.returncode != 0
    assert sentence in done.stderr.replace("'", "").replace(".", "/") or sentence in done.stderr


@pytest.mark.parametrize("address", ["https://me:hunter2@mlflow.example.com", "https://hunter2@mlflow.example.com/path"])
@pytest.mark.parametrize("field", ["uri", "publicUrl", "artifacts"])
def test_an_address_with_a_password_is_refused_without_repeating_it(field: str, address: str, attempt: Helm) -> None:
    done = attempt("mlflow.enabled=false", 'tracking.uri="https://mlflow.example.com"', f'tracking.{field}="{address}"')
    assert done.returncode != 0
    assert (
        f"tracking.{field} without user and password: put them into a Secret with the keys username and password, "
        "and set tracking.credentialsSecret to its name"
    ) in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_the_path_of_an_address_may_contain_an_at_sign(render: Render) -> None:
    objects = render("mlflow.enabled=false", 'tracking.uri="https://mlflow.example.com/a@b"')
    assert environment(objects, "release-alignment-operator")["ALIGNMENT_TRACKING_URI"] == "https://mlflow.example.com/a@b"


def test_a_password_reaches_operator_and_dashboard_as_files(render: Render) -> None:
    objects = render(*OWN_LOCKED_TRACKING)
    items = [{"key": "username", "path": "username"}, {"key": "password", "path": "password"}]
    for name, pod in pods(objects):
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        if name.endswith("-test"):
            assert "tracking-credentials" not in volumes
            continue
        secret = {"secretName": "mlflow-login", "items": items, "defaultMode": 0o440}
        assert volumes["tracking-credentials"]["secret"] == secret
        mount = next(found for found in pod["containers"][0]["volumeMounts"] if found["name"] == "tracking-credentials")
        assert mount["mountPath"] == environment(objects, name)["ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"] and mount["readOnly"]
    assert environment(objects, "release-alignment-operator")["ALIGNMENT_TRACKING_CREDENTIALS_SECRET"] == "mlflow-login"
    assert "tracking-credentials" not in json.dumps(render(*OWN_TRACKING))


def trainer_policies(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for found in objects if found["kind"] == "NetworkPolicy" and found["metadata"]["name"].endswith("-trainer")]


def test_training_pods_accept_the_operator_and_each_other(render: Render) -> None:
    objects = render(SOME_NAMESPACES, "networkPolicy.enabled=true")
    policies = trainer_policies(objects)
    assert [policy["metadata"]["namespace"] for policy in policies] == ["team-a", "team-b"]
    (*_, job) = pytorchjob.render(a_run(a_job(), "sft"), Settings())
    trainer = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["metadata"]["labels"]
    operator = of_kind("Deployment", objects)["release-alignment-operator"]["spec"]["template"]["metadata"]["labels"]
    for policy in policies:
        spec = policy["spec"]
        assert spec["podSelector"]["matchLabels"].items() <= trainer.items()
        assert spec["policyTypes"] == ["Ingress"]
        asking, peers = spec["ingress"]
        assert asking["ports"] == [{"port": HEARTBEAT_PORT, "protocol": "TCP"}]
        [peer] = asking["from"]
        assert peer["podSelector"]["matchLabels"] == operator
        assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "aligning"}}
        assert peers == {"from": [{"podSelector": spec["podSelector"]}]}, "all ports, and only of the same namespace"


@pytest.mark.parametrize("values", [("networkPolicy.enabled=true",), (SOME_NAMESPACES,)])
def test_no_policy_without_watch_namespaces_or_with_policies_disabled(values: tuple[str, ...], render: Render) -> None:
    assert trainer_policies(render(*values)) == []


def test_the_policy_in_the_docs_equals_the_policy_of_the_chart(helm: Helm) -> None:
    values = flags(('watchNamespaces=["team"]', "networkPolicy.enabled=true"))
    name = "alignment-operator"
    done = helm("template", name, str(CHART), "--namespace", name, "--kube-version", "1.33.0", *values)
    [made] = trainer_policies(objects_in(done.stdout))
    page = (ROOT / "docs/install.md").read_text()
    [shown] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "NetworkPolicy" in block]
    assert shown["spec"] == made["spec"] and shown["metadata"]["name"] == made["metadata"]["name"]


def test_the_ingress_in_the_docs_is_one_of_the_chart(helm: Helm, tmp_path: Path) -> None:
    page = (ROOT / "docs/install.md").read_text()
    [values] = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "auth-url" in block]
    (tmp_path / "values.yaml").write_text(values)
    done = helm("template", "release", str(CHART), *RENDERING, "--values", str(tmp_path / "values.yaml"))
    assert done.returncode == 0, done.stderr
    objects = objects_in(done.stdout)
    ingress = of_kind("Ingress", objects)["release-alignment-operator-dashboard"]
    assert ingress["spec"]["rules"][0]["host"] == "alignment.example.com"
    assert ingress["metadata"]["annotations"] == yaml.safe_load(values)["dashboard"]["ingress"]["annotations"]
    policy = of_kind("NetworkPolicy", objects)["release-alignment-operator-dashboard"]
    assert yaml.safe_load(values)["networkPolicy"]["dashboardFrom"][0] in policy["spec"]["ingress"][0]["from"]


def test_probes_ask_an_address_that_can_fail(render: Render) -> None:
    [container] = of_kind("Deployment", render())["release-alignment-operator-dashboard"]["spec"]["template"]["spec"][
        "containers"
    ]
    asked = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"/healthz"}
    [test] = [found for found in render() if found["kind"] == "Pod"]
    assert "dashboard=http://release-alignment-operator-dashboard/healthz" in test["spec"]["containers"][0]["args"]


def every_object(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if node.get("type") == "object":
        yield path, node
    for name, child in {**node.get("properties", {}), **node.get("definitions", {})}.items():
        yield from every_object(child, f"{path}/{name}")
    if isinstance(node.get("items"), dict):
        yield from every_object(node["items"], f"{path}[]")


def test_the_schema_has_every_value_and_refuses_others() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    # Helm defines the first; the API server checks the second.
    free = {"/global", "/selector/matchExpressions[]"}
    assert [path for path, node in every_object(schema) if "additionalProperties" not in node and path not in free] == []
    for name, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
        if isinstance(value, dict):
            assert set(schema["properties"][name]["properties"]) == set(value)


def test_every_value_is_used() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())

    def leaves(values: dict[str, Any]) -> Iterator[str]:
        for name, value in values.items():
            yield from leaves(value) if isinstance(value, dict) and value and name != "resources" else [name]

    missing = [
        name for name in leaves(yaml.safe_load((CHART / "values.yaml").read_text())) if not re.search(rf"\.{name}\b", templates)
    ]
    assert missing == []


def test_the_definition_is_the_generated_one(render: Render) -> None:
    assert (CHART / "files/alignmentjobs.yaml").read_text() == (ROOT / "crds/alignmentjobs.yaml").read_text(), (
        "run `make generate`"
    )
    [definition] = of_kind("CustomResourceDefinition", render()).values()
    [wanted] = objects_in((ROOT / "crds/alignmentjobs.yaml").read_text())
    assert definition["spec"] == wanted["spec"]
    assert definition["metadata"]["name"] == wanted["metadata"]["name"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((), [{"helm.sh/resource-policy": "keep"}]),
        (("crds.keep=false",), [None]),
        (("crds.enabled=false",), []),
    ],
)
def test_crds_values_decide_whether_the_definition_is_installed_and_kept(
    values: tuple[str, ...], wanted: list[Any], render: Render
) -> None:
    found = of_kind("CustomResourceDefinition", render(*values)).values()
    assert [definition["metadata"].get("annotations") for definition in found] == wanted


def test_metrics_go_to_the_server_of_the_chart(render: Render) -> None:
    objects = render()
    address = "http://release-alignment-operator-mlflow.aligning.svc:5000"
    assert environment(objects, "release-alignment-operator")["ALIGNMENT_TRACKING_URI"] == address
    assert environment(objects, "release-alignment-operator-dashboard")["MLFLOW_TRACKING_URI"] == address
    [container] = of_kind("Deployment", objects)["release-alignment-operator-mlflow"]["spec"]["template"]["spec"]["containers"]
    [hosts] = [part.split("=", 1)[1].split(",") for part in container["command"] if part.startswith("--allowed-hosts=")]
    assert address.removeprefix("http://") in hosts and "*" not in hosts
    [claim] = of_kind("PersistentVolumeClaim", objects).values()
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_metrics_go_to_an_existing_server(render: Render) -> None:
    objects = render(*OWN_TRACKING)
    assert environment(objects, "release-alignment-operator")["ALIGNMENT_TRACKING_URI"] == "https://mlflow.example.com"
    assert environment(objects, "release-alignment-operator-dashboard")["MLFLOW_TRACKING_URI"] == "https://mlflow.example.com"
    assert sorted(of_kind("Deployment", objects)) == ["release-alignment-operator", "release-alignment-operator-dashboard"]
    assert not of_kind("PersistentVolumeClaim", objects)


def test_the_operator_reads_the_variables_that_the_chart_sets(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environment(render(*EVERYTHING, SOME_NAMESPACES), "release-alignment-operator")
    fields = {name.removeprefix("ALIGNMENT_").lower() for name in variables}
    assert fields <= set(Settings.model_fields)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.image_pull_secrets == ["registry-of-the-jobs"]
    assert settings.watch_namespaces == ["team-a", "team-b"]
    assert settings.trainer_image == f"alignment-trainer:{yaml.safe_load((CHART / 'Chart.yaml').read_text())['appVersion']}"
    assert settings.tracking_public_url == "https://mlflow.example.com/"


def test_defaults_equal_those_of_the_operator(render: Render) -> None:
    variables = environment(render('fullnameOverride="alignment-operator"'), "alignment-operator")
    for name in ("grace_seconds", "first_retry_delay_seconds", "longest_retry_delay_seconds", "progress_interval_seconds"):
        assert float(variables[f"ALIGNMENT_{name.upper()}"]) == Settings.model_fields[name].default


@pytest.mark.parametrize(
    ("values", "image"),
    [
        (('operator.image.tag="1.2"',), "alignment-operator:1.2"),
        (('image.registry="registry.example.com/team/"',), "registry.example.com/team/alignment-operator:0.1.0"),
        ((f'operator.image.digest="sha256:{"0" * 64}"', 'operator.image.tag="1"'), f"alignment-operator@sha256:{'0' * 64}"),
    ],
)
def test_images(values: tuple[str, ...], image: str, render: Render) -> None:
    objects = render(*values)
    [container] = of_kind("Deployment", objects)["release-alignment-operator"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == image
    assert of_kind("Pod", objects)["release-alignment-operator-test"]["spec"]["containers"][0]["image"] == image


@pytest.mark.parametrize(
    ("values", "present", "absent"),
    [
        (
            (),
            [
                "kubectl apply --namespace team --filename",
                'creates them in the namespace "team". When the volume is ready, this shows Bound',
                "alignment-workspace --namespace team",
                "delete the claim release-alignment-operator-mlflow",
                "service/release-alignment-operator-dashboard 8501:80",
            ],
            ["NOTE", "--namespace default"],
        ),
        (
            (SOME_NAMESPACES,),
            ["kubectl apply --namespace team-a", 'in the namespace "team"; use team-a instead.', "of team-a, team-b."],
            [],
        ),
        (('mlflow.storage.storageClassName="fast"',), [], ["default StorageClass"]),
        (('mlflow.storage.existingClaim="mine"',), [], ["default StorageClass"]),
        (EVERYTHING, ["https://alignment.example.com", "no login"], ["MLflow has no login", "plain HTTP", "port-forward"]),
        (("crds.keep=false",), ["will delete all AlignmentJobs"], []),
        (("crds.enabled=false",), ["crds.enabled is false"], []),
        (("dashboard.enabled=false",), [], ["dashboard"]),
    ],
)
def test_notes(values: tuple[str, ...], present: list[str], absent: list[str], helm: Helm, tmp_path: Path) -> None:
    # Helm prints notes only at an installation, which needs a cluster; as a template they render without one.
    chart = shutil.copytree(CHART, tmp_path / "chart")
    text = (chart / "templates/NOTES.txt").read_text()
    made = 'kind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | toJson }}\n'
    (chart / "templates/notes.yaml").write_text('{{ define "notes" }}' + text + "{{ end }}" + made)
    done = helm("template", "release", str(chart), *RENDERING, "--show-only", "templates/notes.yaml", *flags(values))
    assert done.returncode == 0, done.stderr
    notes = yaml.safe_load(done.stdout)["text"]
    for part in present:
        assert part in notes
    for part in absent:
        assert part not in notes
