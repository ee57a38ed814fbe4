"""Handles watch events: each only puts its job's key into the queue."""

import logging
from collections.abc import Iterator
from typing import Any

import kopf
from alignment_api.names import GROUP, JOB_LABEL, KIND, PLURAL, VERSION

from alignment_operator.backends import Resource
from alignment_operator.backends.chosen import ON_CLUSTER
from alignment_operator.cluster.job_cache import key_of
from alignment_operator.cluster.telemetry import WATCH_EVENTS
from alignment_operator.cluster.world import KubernetesCluster

WATCHED = (ON_CLUSTER.RESOURCE, *ON_CLUSTER.BETWEEN, Resource("Pod", "", "v1", "pods"))
"""Children, pods, and what is between them."""


class _EndlessBackoff:
    """Pauses between retries that never run out: kopf exits at the end of a finite list."""

    def __iter__(self) -> Iterator[float]:
        yield from (1, 1, 2, 3, 5, 8, 13, 21)
        while True:
            yield 30


class _NoComparison(kopf.DiffBaseStorage):
    """Skips the comparison with the last version: no handler needs it, and it would copy every object."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Configure kopf to watch only, without finalizers, annotations or events of its own."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _EndlessBackoff()
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    for resource in WATCHED:
        settings.watching.label_selectors[resource.group, resource.version, resource.plural] = JOB_LABEL
    settings.persistence.diffbase_storage = _NoComparison()
    settings.process.ultimate_exiting_timeout = 20
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)


@kopf.on.event(GROUP, VERSION, PLURAL)
async def job_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Queue a job that has changed."""
    WATCH_EVENTS.labels(KIND).inc()
    found: dict[str, Any] = {**event["object"], "kind": KIND}
    if memo.cluster.jobs_seen.observe(event["type"], found):
        memo.queue.add(key_of(found))


async def child_event(event: kopf.RawEvent, memo: kopf.Memo, param: Any = None, **_: Any) -> None:
    """Queue the job of a child or pod that has changed; `param` is its kind."""
    WATCH_EVENTS.labels(param).inc()
    found: dict[str, Any] = {**event["object"], "kind": param}
    cluster: KubernetesCluster = memo.cluster
    # Most events only repeat the answer to our own request, or a list.
    for key in cluster.jobs_seen.keys_of(cluster.children_seen.observe(event["type"], found)):
        memo.queue.add(key)


for watched in WATCHED:
    selector = (watched.group, watched.version, watched.plural)
    kopf.on.event(*selector, labels={JOB_LABEL: kopf.PRESENT}, param=watched.kind)(child_event)
