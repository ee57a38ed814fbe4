"""In which namespaces this operator works: one lease for each scope, since two operators in one undo each other's work."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import aiohttp
from kubernetes.aio.client import ApiException

from alignment_operator.cluster import telemetry
from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.lease import LEASES, Lease, holder_of

LEASE_NAME = "alignment-operator.dev"
# That of all namespaces has a name of its own, so that its namespace can be watched by itself too.
_EVERYWHERE, _EVERYWHERE_LEASE_NAME = "kube-system", f"all.{LEASE_NAME}"
_LOOK_SECONDS, _RENEW_SECONDS, _DURATION_SECONDS = 3, 10, 30
# A look that is older than this says nothing any more; who has taken a namespace begins only when no older one can count.
_LOOK_COUNTS_SECONDS, _OTHERS_STOP_SECONDS = 7, 8
# An operator that follows itself within this time was not taken for gone by anybody.
_CONTINUED_SECONDS = 20

logger = logging.getLogger(__name__)


class Scopes:
    """The leases of the namespaces that are watched, or that of all namespaces, which gives way to those of single ones."""

    def __init__(
        self,
        api: KubernetesApi,
        namespaces: list[str],
        identity: str,
        kin: str | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """Leases of `kin` are taken over at once, for `leads` says that no other replica of this release is at work."""
        self._api, self._identity, self._kin, self._leads = api, identity, kin, leads
        self._is_everywhere = not namespaces
        name = LEASE_NAME if namespaces else _EVERYWHERE_LEASE_NAME
        self._leases = {place: Lease(api, place, name, identity, _DURATION_SECONDS, kin) for place in namespaces or [_EVERYWHERE]}
        self._works_from: dict[str, float] = {}
        self._renewed_at: dict[str, float] = {}
        self._others: dict[str, str] = {}
        self._looked_at = float("-inf")
        self._trouble: str | None = None
        self._waiting: set[str] = set()
        self._told: dict[str, str] = {}

    def holds(self, namespace: str) -> bool:
        """Say whether this operator is the one that works in a namespace, at this moment."""
        place = _EVERYWHERE if self._is_everywhere else namespace
        return self._works(place) and namespace not in self._others

    def wait(self, namespace: str) -> None:
        """Note that a job of a namespace was left alone, and is to be looked at once the namespace is held."""
        self._waiting.add(namespace)

    async def run(self, wake: Callable[[str], None]) -> None:
        """Hold what can be held, and wake the namespaces that have waited for it."""
        while True:
            await self.look()
            self.wake(wake)
            await asyncio.sleep(_LOOK_SECONDS)

    def wake(self, wake: Callable[[str], None]) -> None:
        """Call for the namespaces that have waited and are held now."""
        for namespace in [namespace for namespace in self._waiting if self.holds(namespace)]:
            self._waiting.discard(namespace)
            wake(namespace)

    async def look(self) -> None:
        """Renew what is due, see who else is at work, and tell what has changed."""
        await asyncio.gather(*(self._seek(place, lease) for place, lease in self._leases.items()))
        if self._is_everywhere:
            await self._look_around()
        self._tell()

    async def release(self) -> None:
        """Let others take over at once."""
        await asyncio.gather(*(lease.release() for lease in self._leases.values()))

    def _works(self, place: str) -> bool:
        lease, now = self._leases.get(place), monotonic()
        if lease is None or not lease.held or now < self._works_from[place] or not self._leads():
            return False
        return not self._is_everywhere or now - self._looked_at < _LOOK_COUNTS_SECONDS

    async def _seek(self, place: str, lease: Lease) -> None:
        was_held, began = lease.held, monotonic()
        if was_held and began - self._renewed_at[place] < _RENEW_SECONDS:
            return
        if not await lease.seek():
            return
        self._renewed_at[place] = began
        if not was_held:
            continued = lease.gap_seconds is not None and lease.gap_seconds < _CONTINUED_SECONDS
            pause_seconds = 0 if continued or self._is_everywhere else _OTHERS_STOP_SECONDS
            self._works_from[place] = monotonic() + pause_seconds

    async def _look_around(self) -> None:
        """See in which single namespaces others are at work."""
        if not self._leases[_EVERYWHERE].held:
            self._others = {}
            return
        began = monotonic()
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                listed, now = await self._api.get_with_time(f"{LEASES}/leases", fieldSelector=f"metadata.name={LEASE_NAME}")
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            trouble = str(error) or "no answer"
            if trouble != self._trouble:
                logger.warning("the leases of other operators cannot be listed, and nothing is done without them: %s", trouble)
            self._trouble = trouble
            return
        holders = {found["metadata"]["namespace"]: holder_of(found, now) for found in listed["items"]}
        self._others = {place: holder for place, holder in holders.items() if holder and self._is_other(holder)}
        self._looked_at, self._trouble = began, None

    def _is_other(self, holder: str) -> bool:
        return holder != self._identity and not (self._kin and holder.startswith(self._kin))

    def _tell(self) -> None:
        """Log who works where, once for each change."""
        at_work = self._at_work()
        for subject, holder in sorted(at_work.items() - self._told.items()):
            if self._is_other(holder):
                logger.warning("%s is reconciled by %s; this operator leaves it alone", subject, holder)
            else:
                logger.info("%s is reconciled by this operator", subject)
        for subject in sorted(self._told.keys() - at_work.keys()):
            logger.info("%s is not reconciled by %s any more", subject, self._told[subject])
        self._told = at_work
        telemetry.SCOPES_HELD.set(sum(map(self._works, self._leases)))
        telemetry.SCOPES_LEFT_ALONE.set(sum(map(self._is_other, at_work.values())))

    def _at_work(self) -> dict[str, str]:
        scopes = {"every namespace" if self._is_everywhere else f"namespace {place}": place for place in self._leases}
        holders = {subject: self._leases[place].holder for subject, place in scopes.items()}
        others = {f"namespace {place}": holder for place, holder in self._others.items()}
        return {subject: holder for subject, holder in holders.items() if holder} | others
