"""A Lease of the API server: one of several candidates holds it, as long as it renews it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiException

from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.resource_versions import Object

LEASES = "/apis/coordination.k8s.io/v1"
# Both times in the difference are whole seconds.
_ROUNDING_SECONDS = 1
_REQUEST_SECONDS = 3
# A killed leader is replaced within 10 s: this time, and the time that a pod takes to start.
LEADER_SECONDS = 6
_RENEW_SECONDS, _RETRY_SECONDS = 2, 1

logger = logging.getLogger(__name__)


class Lost(Exception):
    """Another replica holds the lease."""


class Lease:
    """A Lease as one candidate sees it."""

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        name: str,
        identity: str,
        duration_seconds: int,
        release_prefix: str | None = None,
    ) -> None:
        """A holder whose name begins with `release_prefix` no longer works when this candidate asks, which takes over at once."""
        self.identity = identity
        self.holder: str | None = None
        """The holder when it was last read; None if it was free."""
        self.error: str | None = "the API server has not been asked yet"
        """Why the last request failed."""
        self.gap_seconds: float | None = None
        """Seconds from the last renewal by a replica of this release to our takeover; None if the lease was new or another's."""
        self._api, self._release_prefix, self._duration_seconds = api, release_prefix, duration_seconds
        self._collection, self._name = f"{LEASES}/namespaces/{namespace}/leases", name
        self._last_written: Object | None = None
        self._held_until = 0.0
        self._unchanged_since: tuple[str, float] = ("", 0.0)

    @property
    def held(self) -> bool:
        """Return whether no other candidate can hold it at this moment."""
        return monotonic() < self._held_until

    async def acquire(self) -> bool:
        """Renew the lease, or take it if it is free, and return whether it is held."""
        error_message = None
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._renew_or_take()
        except ApiException as error:
            # Another candidate was faster; the next request shows which.
            error_message = None if error.status == 409 else str(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            error_message = f"the API server cannot be reached ({error or type(error).__name__})"
        if error_message and error_message != self.error:
            logger.warning(
                "the lease %s cannot be renewed or taken, so no job is reconciled under it: %s", self._path, error_message
            )
        self.error = error_message
        return self.held

    async def release(self) -> None:
        """Free the lease at once, so that the next holder need not wait until it expires."""
        lease, self._last_written, self._held_until = self._last_written, None, 0.0
        if lease is None:
            return
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._api.put(self._path, {**lease, "spec": {**lease["spec"], "holderIdentity": None}})
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("the lease %s cannot be released, so it expires by itself: %s", self._path, error)

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    async def _renew_or_take(self) -> None:
        began = monotonic()
        if self._last_written is not None and self.held:
            try:
                return self._hold(await self._api.put(self._path, self._renewed(self._last_written)), began)
            except ApiException as error:
                if error.status not in (404, 409):
                    raise
                self._last_written = None
        found, now = await self._read()
        if found is None:
            self.gap_seconds = None
            body = {"metadata": {"name": self._name}, "spec": {}}
            return self._hold(await self._api.post(self._collection, self._renewed(body)), began)
        if not self._is_free(found, now):
            self.holder, self._held_until = _holder(found), 0.0
            return None
        if not self.held:
            self.gap_seconds = _seconds_since_write(found, now) if self._is_of_release(_holder(found)) else None
        return self._hold(await self._api.put(self._path, self._renewed(found)), began)

    async def _read(self) -> tuple[Object | None, datetime | None]:
        try:
            return await self._api.get_with_time(self._path)
        except ApiException as error:
            if error.status == 404:
                return None, None
            raise

    def _hold(self, written: Object, began: float) -> None:
        self._last_written, self.holder = written, self.identity
        self._held_until = began + self._duration_seconds - _ROUNDING_SECONDS

    def _renewed(self, lease: Object) -> Object:
        spec, now = lease.get("spec") or {}, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = spec.get("holderIdentity") != self.identity
        taken = {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1} if changed else {}
        own = {"holderIdentity": self.identity, "leaseDurationSeconds": self._duration_seconds, "renewTime": now}
        return {**lease, "spec": {**spec, **taken, **own}}

    def _is_of_release(self, holder: str | None) -> bool:
        return holder == self.identity or bool(holder and self._release_prefix and holder.startswith(self._release_prefix))

    def _is_free(self, found: Object, now: datetime | None) -> bool:
        if self._is_of_release(_holder(found)) or holder_of(found, now) is None:
            return True
        # Without times, a lease that has not changed for its whole duration has expired.
        version, seen = found["metadata"]["resourceVersion"], monotonic()
        if version != self._unchanged_since[0]:
            self._unchanged_since = (version, seen)
        return seen - self._unchanged_since[1] > _duration_seconds(found) + _ROUNDING_SECONDS


def holder_of(lease: Object, now: datetime | None) -> str | None:
    """Return the holder of a lease by the API server's clock; None if it was released or has expired."""
    seconds_since_write = _seconds_since_write(lease, now)
    if seconds_since_write is not None and seconds_since_write > _duration_seconds(lease) + _ROUNDING_SECONDS:
        return None
    return _holder(lease)


def _holder(lease: Object) -> str | None:
    return (lease.get("spec") or {}).get("holderIdentity") or None


def _duration_seconds(lease: Object) -> int:
    return int((lease.get("spec") or {}).get("leaseDurationSeconds") or 0)


def _seconds_since_write(lease: Object, now: datetime | None) -> float | None:
    """Return how long ago a lease was written, by the API server's clock: it records the time of each write itself."""
    written = [datetime.fromisoformat(known["time"]) for known in lease["metadata"].get("managedFields", []) if "time" in known]
    return (now - max(written)).total_seconds() if now and written else None


async def lead(lease: Lease, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for the lease, then work until another replica takes it, which raises Lost; work checks `held` itself."""
    logged = None
    while not await lease.acquire():
        if lease.holder and lease.holder != logged:
            logged = lease.holder
            logger.info("waiting for the lease, which %s holds", logged)
        await asyncio.sleep(_RETRY_SECONDS)
    logger.info("%s leads", lease.identity)
    try:
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(_renew(lease))
            await work()
            renewing.cancel()
    finally:
        await lease.release()


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        if not await lease.acquire() and lease.holder != lease.identity:
            logger.error("%s leads now; this replica stops", lease.holder)
            raise Lost
