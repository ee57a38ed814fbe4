"""Lists and watches AlignmentJobs over the Kubernetes API, and explains a failure in one sentence."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from alignment_api.names import API_VERSION, GROUP, PLURAL
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.client.rest import RESTResponse
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from alignment_dashboard.data.listing import Failure
from alignment_dashboard.keeper import Unavailable

Object = dict[str, Any]
Verb = Literal["list", "watch"]

INSTALL = "helm install alignment-operator charts/alignment-operator --namespace alignment-operator --create-namespace"
NO_QUERY: Mapping[str, str] = MappingProxyType({})
CONNECT_SECONDS, ANSWER_SECONDS = 5, 30
REASON_LENGTH = 200
UNREACHABLE = "Unreachable"


class ApiFailure(Unavailable):
    """The API server did not answer, or refused."""

    def __init__(self, failure: Failure, status: int = 0, verb: Verb = "list") -> None:
        super().__init__(failure.message)
        self.failure, self.status, self.verb = failure, status, verb


class WatchBroken(Exception):
    """The connection of a watch broke."""


class Resource(NamedTuple):
    """A kind of objects: where the API has them, and their name in a role."""

    group: str
    plural: str
    name: str


JOBS = Resource(f"/apis/{API_VERSION}", PLURAL, f"{PLURAL}.{GROUP}")
EVENTS = Resource("/api/v1", "events", "events")


class ClusterApi:
    """Lists and watches the objects of one kind in one namespace, or in all."""

    def __init__(self, namespace: str | None, resource: Resource = JOBS) -> None:
        self._namespace, self._resource = namespace, resource
        scope = ["namespaces", namespace] if namespace else []
        self._path = "/".join([resource.group, *scope, resource.plural])
        configuration = _configuration()
        self.host = configuration.host
        self._client = ApiClient(configuration)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def list(self, query: Mapping[str, str] = NO_QUERY) -> Object:
        """List all objects, or those that a query chooses. Raises ApiFailure."""
        with self._asking("list"):
            answer = self._get("list", query, ANSWER_SECONDS)
            found = json.loads(answer.response.data)
            if not isinstance(found, dict) or not isinstance(found.get("items"), list):
                raise ValueError("no list")
            return found

    def watch(self, version: str, seconds: int) -> Iterator[Object]:
        """Open a watch of the changes after a version. Raises ApiFailure, and WatchBroken while its events are read."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        with self._asking("watch"):
            # Without a timeout a read would wait forever on a connection that died silently.
            return self._events(self._get("watch", query, seconds + ANSWER_SECONDS))

    def _events(self, answer: RESTResponse) -> Iterator[Object]:
        try:
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise self._refusal(status.get("code", 0), status.get("message", ""), "watch")
                yield event
        except (HTTPError, OSError, json.JSONDecodeError) as error:
            raise WatchBroken(_brief(error)) from error
        finally:
            answer.response.close()

    def _get(self, verb: Verb, query: Mapping[str, str], seconds: int) -> RESTResponse:
        parameters = self._client.param_serialize(
            method="GET",
            resource_path=self._path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        answer = self._client.call_api(*parameters, _request_timeout=(CONNECT_SECONDS, seconds))
        if not 200 <= answer.status <= 299:
            raise self._refusal(answer.status, _message_of(answer.response.data) or answer.reason, verb)
        return answer

    @contextmanager
    def _asking(self, verb: Verb) -> Iterator[None]:
        try:
            yield
        except (HTTPError, OSError, ApiException) as error:
            raise ApiFailure(self._unreachable(f"does not answer ({_brief(error)})"), verb=verb) from error
        except ValueError as error:
            raise ApiFailure(self._unreachable("sends an answer that does not come from a Kubernetes API"), verb=verb) from error

    def _unreachable(self, what: str) -> Failure:
        return Failure(UNREACHABLE, f"The API server at {self.host} {what}; this page keeps trying.")

    def _refusal(self, status: int, message: str, verb: Verb) -> ApiFailure:
        return ApiFailure(self._explain(status, message, verb), status, verb)

    def _explain(self, status: int, message: str, verb: Verb) -> Failure:
        if status == 401:
            refusal = "does not accept the dashboard's credentials (401): check KUBECONFIG, or the pod's service account"
            return Failure("Not allowed", f"The API server at {self.host} {refusal}.")
        if status == 403:
            user = re.search(r'User "([^"]+)"', message)
            where = f"namespace {self._namespace}" if self._namespace else "all namespaces"
            missing = f"the verb {verb} on {self._resource.name} in {where}"
            return Failure(
                "Not allowed",
                f"{user[1] if user else 'The dashboard'} lacks {missing}. The Helm chart has a role that grants it.",
            )
        if status == 404:
            refusal = "has no AlignmentJob definition: the operator is not installed there. Install it with:"
            return Failure("Not installed", f"The cluster at {self.host} {refusal}", INSTALL)
        return self._unreachable(f"cannot answer now ({status}: {message[:REASON_LENGTH]})")


def _configuration() -> Configuration:
    # JobWatch retries with its own delays; retries of the client would only add to them.
    configuration = Configuration(retries=False)
    path = os.environ.get("KUBECONFIG")
    try:
        if not path and os.environ.get("KUBERNETES_SERVICE_HOST"):
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            load_kube_config(path, client_configuration=configuration, persist_config=False)  # type: ignore[no-untyped-call]
    except (ConfigException, YAMLError, OSError, ValueError) as error:
        advice = "set KUBECONFIG to a file that kubectl works with, or run the dashboard in the cluster"
        raise ApiFailure(
            Failure("No credentials", f"The dashboard cannot find a cluster ({_brief(error)}): {advice}.")
        ) from error
    return configuration


def _lines(answer: RESTResponse) -> Iterator[bytes]:
    buffer = b""
    for chunk in answer.response.stream(amt=None, decode_content=False):
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from (line for line in lines if line)


def _message_of(body: bytes) -> str:
    """Return the API server's message about an error, or an empty text if the body is not from it, as a proxy's page."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _brief(error: Exception) -> str:
    """Return the cause of an error in one line, without the names of Python objects."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__
    text = error.reason if isinstance(error, ApiException) else str(error)
    lines = (text or "").splitlines() or [type(error).__name__]
    return lines[-1].rpartition(": ")[2][:REASON_LENGTH]
