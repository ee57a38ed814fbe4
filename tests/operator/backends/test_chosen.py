"""What a backend must keep to itself, and what any other backend gets from the cluster's side."""

from pathlib import Path
from typing import Any

from alignment_operator.backends import ClusterBackend, Manifest, Resource, pytorchjob
from alignment_operator.backends.labels import attempt_of
from alignment_operator.cluster.children import Children
from alignment_operator.cluster.refusals import refusal_of
from alignment_operator.deciding.observation import Child
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.reconcile import Refused
from alignment_operator.settings import Settings
from kubernetes.aio.client import ApiException
from observed_pods import controlled_by, pod, training_job

OPERATOR = Path(__file__).parents[3] / "operator" / "alignment_operator"


def test_only_its_backend_names_the_training_operator_s_kind() -> None:
    naming = {
        str(path.relative_to(OPERATOR))
        for path in OPERATOR.rglob("*.py")
        if any(word in path.read_text().lower() for word in ("pytorchjob", "pytorchreplicaspecs", "kubeflow", "master-0"))
    }
    assert naming == {"backends/pytorchjob.py", "backends/chosen.py"}


class OtherBackend:
    """A backend of another kind, whose pods are named after the child and a number."""

    RESOURCE = Resource("TrainJob", "trainer.kubeflow.org", "v1alpha1", "trainjobs")
    NOT_INSTALLED = ("TrainerMissing", "the cluster has no TrainJob resource: install Kubeflow Trainer")

    def render(self, run: StageRun, settings: Settings) -> list[Manifest]:
        return []

    def observe(self, child: Manifest, seen: list[Manifest]) -> Child:
        name, stage = child["metadata"]["name"], "sft"
        return Child(
            name, child["metadata"]["uid"], stage, attempt_of(child) or 0, "", "", "Running", message=f"{len(seen)} pods"
        )

    def observe_leftover(self, pods: list[Manifest]) -> Child:
        return Child("job-sft-2", "", "sft", 2, "", "", "Stopping")

    def is_replica(self, child: Manifest, pod: Manifest) -> bool:
        return bool(pod["metadata"]["name"].startswith(child["metadata"]["name"]))

    def first_pod(self, child: Manifest) -> str:
        return f"{child['metadata']['name']}-node-0"

    def was_lost(self, pod: Manifest) -> bool:
        return False

    def trimmed(self, child: Manifest) -> Manifest:
        return {}


OTHER: ClusterBackend = OtherBackend()


def other_child() -> dict[str, Any]:
    return {**training_job(), "kind": "TrainJob", "spec": {}}


def other_pod(**status: Any) -> dict[str, Any]:
    found = pod("node", **status)
    found["metadata"]["ownerReferences"] = [controlled_by("trainer.kubeflow.org/v1alpha1", "TrainJob", "p1")]
    return found


def test_another_backend_s_children_and_pods_are_followed_in_the_same_way() -> None:
    children = Children(OTHER)
    for found in (other_child(), other_pod(podIP="10.0.0.1"), pod("worker")):
        children.observe("ADDED", found)
    assert [(child.name, child.message) for child in children.of("team", "job", "u1")] == [("job-sft-2", "1 pods")]
    assert children.first_pods("team", "job", "u1") == [("u1", "sft", 2, "10.0.0.1")]
    children.observe("DELETED", {**other_child(), "metadata": {**other_child()["metadata"], "resourceVersion": "2"}})
    assert [child.state for child in children.of("team", "job", "u1")] == ["Stopping"]


def test_a_cluster_without_the_kind_is_told_what_to_install() -> None:
    unknown = ApiException(status=404, reason="Not Found")
    for backend, reason in ((pytorchjob, "TrainingOperatorMissing"), (OTHER, "TrainerMissing")):
        refused = refusal_of({"kind": backend.RESOURCE.kind}, unknown, backend)
        assert isinstance(refused, Refused) and refused.reason == reason
    assert refusal_of({"kind": "ConfigMap"}, unknown, OTHER) is unknown
