"""Runs the operator: `python -m alignment_operator`."""

import asyncio
import functools
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import aiohttp
import kopf
from alignment_api.problems import InvalidJob
from kubernetes.aio.client import ApiClient, ApiException, Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

from alignment_operator.backends.chosen import ON_CLUSTER
from alignment_operator.cluster import handlers, telemetry
from alignment_operator.cluster.health import Health
from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.lease import LEADER_SECONDS, Lease, Lost, lead
from alignment_operator.cluster.scopes import Scopes
from alignment_operator.cluster.world import KubernetesCluster, NotHeld
from alignment_operator.deciding.observation import Key
from alignment_operator.progress.combined_progress import ProgressReader
from alignment_operator.progress.heartbeats import Heartbeats
from alignment_operator.progress.tracked_progress import TrackedProgress
from alignment_operator.queue import Queue
from alignment_operator.reconcile import reconcile
from alignment_operator.settings import Settings, WrongSettings, read_settings

# The first one soon: an object that is deleted between our list and the first watch event is in neither.
_FIRST_RELIST_SECONDS, _RELIST_SECONDS = 60, 900
_LOOK_FOR_KINDS_SECONDS = 10
_ASK_ABOUT_STUCK_PODS_SECONDS = 10

logger = logging.getLogger(__name__)


class _Ended(Exception):
    """The watches have ended, because kopf received a signal to stop."""


def main() -> None:
    """Read the settings and run until a signal to stop."""
    # The operator keeps very many long-lived objects. At Python's default rate, garbage collection would take most of the time
    # that is spent on reading them.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    try:
        settings = read_settings()
    except WrongSettings as error:
        sys.exit("\n".join(f"error: {problem}" for problem in str(error).splitlines()))
    try:
        asyncio.run(serve(settings))
    except* (_Ended, Lost, asyncio.CancelledError):
        logger.info("stopped")


async def serve(settings: Settings) -> None:
    """Answer probes from the start, and reconcile once this replica leads."""
    # The first process of a container ignores SIGTERM unless it handles it; later kopf installs its own handler.
    own_task = asyncio.current_task()
    assert own_task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own_task.cancel)
    health = Health()
    await health.serve(settings.health_port)
    telemetry.serve(settings.metrics_port)
    async with ApiClient(await _configuration()) as client:
        if settings.namespace is None:
            await _operate_outside(client, settings, health)
        else:
            await _operate_as_leader(client, settings, settings.namespace, health)


async def _operate_outside(client: ApiClient, settings: Settings, health: Health) -> None:
    """Run outside a cluster, without replicas; namespaces of other operators are still left alone."""
    scopes = Scopes(KubernetesApi(client), settings.watch_namespaces, f"outside/{socket.gethostname()}/{os.getpid()}")
    health.not_ready_reason = lambda: None
    await operate(client, settings, health, scopes)


async def _operate_as_leader(client: ApiClient, settings: Settings, namespace: str, health: Health) -> None:
    """Run while this replica of the release leads; a replica that waits is ready once it could lead."""
    api, release_prefix = KubernetesApi(client), f"{namespace}/{settings.lease}/"
    # The pod's name survives a restart of the container, which therefore keeps the lease.
    identity = release_prefix + (os.environ.get("HOSTNAME") or socket.gethostname())
    leader = Lease(api, namespace, settings.lease, identity, LEADER_SECONDS)
    health.not_ready_reason = lambda: None if leader.held else leader.error
    scopes = Scopes(api, settings.watch_namespaces, identity, release_prefix, lambda: leader.held)
    await lead(leader, lambda: operate(client, settings, health, scopes))


async def _configuration() -> Configuration:
    """Return how to reach the API server: from inside its cluster, or by a kubeconfig."""
    configuration = Configuration()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    # Otherwise each request looks for a ~/.netrc in a thread.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


async def operate(client: ApiClient, settings: Settings, health: Health, scopes: Scopes) -> None:
    """Reconcile the jobs of all namespaces whose lease this operator holds."""
    telemetry.LEADER.set(1)
    tracked = TrackedProgress(settings.tracking_uri, settings.tracking_public_url, settings.tracking_credentials_folder)
    reader = ProgressReader(tracked, Heartbeats())
    cluster = KubernetesCluster(client, settings, ON_CLUSTER, reader, scopes.holds)
    queue = Queue(functools.partial(_reconcile, cluster, scopes, settings))
    telemetry.QUEUE_LENGTH.set_function(lambda: len(queue))
    telemetry.TRACKING_REACHABLE.set_function(lambda: tracked.silence is None)
    telemetry.PODS_UNHEARD.set_function(lambda: reader.heartbeats.silent_count)
    try:
        # All children must be known before the first reconcile, which would create a missing one again.
        await asyncio.gather(_relist(cluster, queue, health), scopes.refresh())
        async with asyncio.TaskGroup() as group:
            group.create_task(queue.run())
            group.create_task(scopes.run(lambda namespace: _wake(cluster, queue, namespace)))
            group.create_task(_every(_RELIST_SECONDS, lambda: _relist(cluster, queue, health), _FIRST_RELIST_SECONDS))
            interval = settings.progress_interval_seconds
            for channel in (reader.tracked, reader.heartbeats):
                group.create_task(_every(interval, functools.partial(_refresh, channel, cluster, queue), interval))
            pause = _ASK_ABOUT_STUCK_PODS_SECONDS
            group.create_task(_every(pause, lambda: _ask_about_stuck_pods(cluster, queue), pause))
            group.create_task(_watch(settings, cluster, queue))
            if cluster.missing_kinds:
                group.create_task(_await_kinds(cluster, queue, health))
    finally:
        await scopes.release()


def _wake(cluster: KubernetesCluster, queue: Queue, namespace: str) -> None:
    for key in cluster.jobs_seen.of_namespace(namespace):
        queue.add(key)


async def _watch(settings: Settings, cluster: KubernetesCluster, queue: Queue) -> None:
    memo = kopf.Memo(cluster=cluster, queue=queue)
    assert handlers.configure is not None, "importing the handlers registers them"
    if settings.watch_namespaces:
        await kopf.operator(memo=memo, standalone=True, namespaces=settings.watch_namespaces)
    else:
        await kopf.operator(memo=memo, standalone=True, clusterwide=True)
    raise _Ended


async def _await_kinds(cluster: KubernetesCluster, queue: Queue, health: Health) -> None:
    """Restart the watches once all kinds exist, since kopf looks for kinds only at its start."""
    logger.warning("the cluster has no %s yet; install it", " and ".join(sorted(cluster.missing_kinds)))
    while cluster.missing_kinds:
        await asyncio.sleep(_LOOK_FOR_KINDS_SECONDS)
        try:
            await _relist(cluster, queue, health)
        except (ApiException, aiohttp.ClientError, TimeoutError) as error:
            logger.warning("%s", error)
    logger.info("all kinds exist now; restarting to watch them")
    raise _Ended


async def _reconcile(cluster: KubernetesCluster, scopes: Scopes, settings: Settings, key: Key) -> float | None:
    if not scopes.holds(key.namespace):
        scopes.wait(key.namespace)
        return None
    started = time.monotonic()
    try:
        delay = await reconcile(cluster, ON_CLUSTER, settings, key, datetime.now(UTC).replace(microsecond=0))
    except NotHeld:
        scopes.wait(key.namespace)
        return None
    except InvalidJob as error:
        # Only a newer version of the API can have stored fields that this version does not know.
        telemetry.RECONCILES.labels("unreadable").inc()
        logger.error("%s/%s cannot be read by this version: %s", *key, error)
        return None
    except ApiException as error:
        telemetry.RECONCILES.labels("conflict" if error.status == 409 else "error").inc()
        if error.status == 409:
            return 0.05
        raise
    finally:
        telemetry.RECONCILE_SECONDS.observe(time.monotonic() - started)
    telemetry.RECONCILES.labels("done").inc()
    return delay


async def _relist(cluster: KubernetesCluster, queue: Queue, health: Health) -> None:
    for key in await cluster.relist():
        queue.add(key)
    health.note_answer()


async def _refresh(channel: TrackedProgress | Heartbeats, cluster: KubernetesCluster, queue: Queue) -> None:
    for key in cluster.jobs_seen.keys_of(await channel.refresh(cluster.first_pods())):
        queue.add(key)


async def _ask_about_stuck_pods(cluster: KubernetesCluster, queue: Queue) -> None:
    for key in await cluster.ask_about_stuck_pods():
        queue.add(key)


async def _every(seconds: float, act: Callable[[], Awaitable[None]], first_seconds: float) -> None:
    await asyncio.sleep(first_seconds)
    while True:
        try:
            await act()
        except Exception as error:
            # The API server or MLflow may be unreachable for a while; the next turn asks again.
            logger.warning("%s", error)
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    main()
