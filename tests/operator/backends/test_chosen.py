"""Each backend keeps the name of its kind to itself."""

from pathlib import Path

from alignment_operator.backends import pytorchjob
from alignment_operator.cluster.refusals import refusal_of
from alignment_operator.reconcile import Refused
from kubernetes.aio.client import ApiException
from other_backend import OTHER

OPERATOR = Path(__file__).parents[3] / "operator" / "alignment_operator"


def test_only_its_backend_names_the_training_operator_s_kind() -> None:
    naming = {
        str(path.relative_to(OPERATOR))
        for path in OPERATOR.rglob("*.py")
        if any(word in path.read_text().lower() for word in ("pytorchjob", "pytorchreplicaspecs", "kubeflow", "master-0"))
    }
    assert naming == {"backends/pytorchjob.py", "backends/chosen.py"}


def test_a_cluster_without_the_kind_is_told_what_to_install() -> None:
    unknown = ApiException(status=404, reason="Not Found")
    for backend, reason in ((pytorchjob, "TrainingOperatorMissing"), (OTHER, "TrainerMissing")):
        refused = refusal_of({"kind": backend.RESOURCE.kind}, unknown, backend)
        assert isinstance(refused, Refused) and refused.reason == reason
    assert refusal_of({"kind": "ConfigMap"}, unknown, OTHER) is unknown
