"""A Lease of the API server: one of those who want it holds it, for as long as it renews it."""

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
# Both times that an age is made of are told in whole seconds.
_ROUNDING_SECONDS = 1
_REQUEST_SECONDS = 3
# A killed leader is replaced within 10 s: these, and the time that a pod takes to start.
LEADER_SECONDS = 6
_RENEW_SECONDS, _LOOK_SECONDS = 2, 1

logger = logging.getLogger(__name__)


class Lost(Exception):
    """Somebody else holds the lease."""


class Lease:
    """One Lease as one who wants it sees it."""

    def __init__(
        self, api: KubernetesApi, namespace: str, name: str, identity: str, duration_seconds: int, kin: str | None = None
    ) -> None:
        """Holders whose names begin with `kin` cannot be at work any more when this one asks: it follows them at once."""
        self.identity = identity
        self.holder: str | None = None
        """Who holds it, as far as was seen; None where nobody does."""
        self.trouble: str | None = "the API server was not asked yet"
        """Why it could not be read or written when it was last tried."""
        self.gap_seconds: float | None = None
        """How long before it was taken the one before of the same kin had renewed it; None where it was another's or new."""
        self._api, self._kin, self._duration_seconds = api, kin, duration_seconds
        self._collection, self._name = f"{LEASES}/namespaces/{namespace}/leases", name
        self._mine: Object | None = None
        self._held_until = 0.0
        self._unchanged_since: tuple[str, float] = ("", 0.0)

    @property
    def held(self) -> bool:
        """Say whether nobody else can hold it at this moment."""
        return monotonic() < self._held_until

    async def seek(self) -> bool:
        """Renew the lease, or take it where nobody holds it; the answer says whether it is held."""
        trouble = None
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._renew_or_take()
        except ApiException as error:
            # Another one was faster; who, the next look tells.
            trouble = None if error.status == 409 else str(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            trouble = f"the API server cannot be reached ({error or type(error).__name__})"
        if trouble and trouble != self.trouble:
            logger.warning("nothing is done under the lease %s, which cannot be renewed or taken: %s", self._path, trouble)
        self.trouble = trouble
        return self.held

    async def release(self) -> None:
        """Let the next one take it at once; without this it waits until the lease has run out."""
        mine, self._mine, self._held_until = self._mine, None, 0.0
        if mine is None:
            return
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self._api.put(self._path, {**mine, "spec": {**mine["spec"], "holderIdentity": None}})
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("the lease %s cannot be released, and runs out: %s", self._path, error)

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    async def _renew_or_take(self) -> None:
        began = monotonic()
        if self._mine is not None and self.held:
            try:
                return self._hold(await self._api.put(self._path, self._renewed(self._mine)), began)
            except ApiException as error:
                if error.status not in (404, 409):
                    raise
                self._mine = None
        found, now = await self._read()
        if found is None:
            self.gap_seconds = None
            body = {"metadata": {"name": self._name}, "spec": {}}
            return self._hold(await self._api.post(self._collection, self._renewed(body)), began)
        if not self._is_free(found, now):
            self.holder, self._held_until = _holder(found), 0.0
            return None
        if not self.held:
            self.gap_seconds = _silent_seconds(found, now) if self._is_kin(_holder(found)) else None
        return self._hold(await self._api.put(self._path, self._renewed(found)), began)

    async def _read(self) -> tuple[Object | None, datetime | None]:
        try:
            return await self._api.get_with_time(self._path)
        except ApiException as error:
            if error.status == 404:
                return None, None
            raise

    def _hold(self, written: Object, began: float) -> None:
        self._mine, self.holder = written, self.identity
        self._held_until = began + self._duration_seconds - _ROUNDING_SECONDS

    def _renewed(self, lease: Object) -> Object:
        spec, now = lease.get("spec") or {}, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = spec.get("holderIdentity") != self.identity
        taken = {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1} if changed else {}
        own = {"holderIdentity": self.identity, "leaseDurationSeconds": self._duration_seconds, "renewTime": now}
        return {**lease, "spec": {**spec, **taken, **own}}

    def _is_kin(self, holder: str | None) -> bool:
        return holder == self.identity or bool(holder and self._kin and holder.startswith(self._kin))

    def _is_free(self, found: Object, now: datetime | None) -> bool:
        if self._is_kin(_holder(found)) or holder_of(found, now) is None:
            return True
        # Where clocks tell nothing, a lease that was watched for all its time without a change has run out.
        version, seen = found["metadata"]["resourceVersion"], monotonic()
        if version != self._unchanged_since[0]:
            self._unchanged_since = (version, seen)
        return seen - self._unchanged_since[1] > _duration_seconds(found) + _ROUNDING_SECONDS


def holder_of(lease: Object, now: datetime | None) -> str | None:
    """Name who holds a lease by the API server's clock; None where it was released or has run out."""
    silent_seconds = _silent_seconds(lease, now)
    if silent_seconds is not None and silent_seconds > _duration_seconds(lease) + _ROUNDING_SECONDS:
        return None
    return _holder(lease)


def _holder(lease: Object) -> str | None:
    return (lease.get("spec") or {}).get("holderIdentity") or None


def _duration_seconds(lease: Object) -> int:
    return int((lease.get("spec") or {}).get("leaseDurationSeconds") or 0)


def _silent_seconds(lease: Object, now: datetime | None) -> float | None:
    """Say how long ago a lease was written; the API server notes that itself, by its own clock, whatever the writer's says."""
    written = [datetime.fromisoformat(known["time"]) for known in lease["metadata"].get("managedFields", []) if "time" in known]
    return (now - max(written)).total_seconds() if now and written else None


async def lead(lease: Lease, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for the lease, then work until somebody else takes it, which raises Lost; work looks at `held` by itself."""
    told = None
    while not await lease.seek():
        if lease.holder and lease.holder != told:
            told = lease.holder
            logger.info("waiting for the lease that %s holds", told)
        await asyncio.sleep(_LOOK_SECONDS)
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
        if not await lease.seek() and lease.holder != lease.identity:
            logger.error("%s leads now; this replica stops", lease.holder)
            raise Lost
