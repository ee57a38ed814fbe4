"""Why the API server refused an object, in a sentence that a person can act on; pure."""

from kubernetes.aio.client import ApiException

from alignment_operator.backends import ClusterBackend
from alignment_operator.cluster.kubernetes_api import api_message
from alignment_operator.cluster.resource_versions import Object
from alignment_operator.reconcile import Refused


def refusal_of(manifest: Object, error: ApiException, backend: ClusterBackend) -> Refused | ApiException:
    """Return a sentence for what a person can mend, and the error itself for everything else."""
    kind, message = manifest["kind"], api_message(error)
    if error.status == 404 and kind == backend.RESOURCE.kind:
        return Refused(*backend.NOT_INSTALLED)
    if error.status == 500 and "webhook" in message:
        return Refused("WebhookUnavailable", f"a webhook did not answer, so no {kind} can be created: {message}")
    if error.status == 403 and "exceeded quota" in message:
        return Refused("QuotaExceeded", message)
    if error.status == 403:
        return Refused("Forbidden", f"the operator may not create a {kind} here: {message}")
    if error.status in (400, 422):
        return Refused("Rejected", f"the API server rejects the {kind}: {message}")
    return error
