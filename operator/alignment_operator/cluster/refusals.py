"""Why the API server did not take an object, in words a person can act on; pure."""

from kubernetes.aio.client import ApiException

from alignment_operator.cluster.kubernetes_api import said
from alignment_operator.cluster.versions import Object
from alignment_operator.reconcile import Refused


def refusal_of(manifest: Object, error: ApiException) -> Refused | ApiException:
    """Say in words why the API server did not take an object, where a person can do something about it."""
    kind, message = manifest["kind"], said(error)
    if error.status == 404 and kind == "PyTorchJob":
        return Refused(
            "TrainingOperatorMissing", "the cluster knows no PyTorchJob: install Kubeflow's training-operator (1.9.4 or later)"
        )
    if error.status == 500 and "webhook" in message:
        return Refused("WebhookUnavailable", f"a webhook did not answer, so no {kind} can be created: {message}")
    if error.status == 403 and "exceeded quota" in message:
        return Refused("QuotaExceeded", message)
    if error.status == 403:
        return Refused("Forbidden", f"the operator may not create a {kind} here: {message}")
    if error.status in (400, 422):
        return Refused("Rejected", f"the API server rejects the {kind}: {message}")
    return error
