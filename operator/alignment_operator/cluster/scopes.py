"""Which namespaces this operator works in: a lease for each scope prevents two operators from undoing each other's work."""

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
# The lease of all namespaces has another name, so that kube-system can also be watched by itself.
_EVERYWHERE, _EVERYWHERE_LEASE_NAME = "kube-system", f"all.{LEASE_NAME}"
_REFRESH_SECONDS, _RENEW_SECONDS, _DURATION_SECONDS = 3, 10, 30
# A list of other leases is trusted for 7 s. A new holder waits 8 s, so that every older list has expired.
_LIST_STALE_SECONDS, _OTHERS_STOP_SECONDS = 7, 8
# A replica that follows another of its release within this time need not wait: no other operator has taken over.
_CONTINUED_SECONDS = 20

logger = logging.getLogger(__name__)


class Scopes:
    """The leases of the watched namespaces, or the lease of all namespaces, which gives way to a lease of one namespace."""

    def __init__(
        self,
        api: KubernetesApi,
        namespaces: list[str],
        identity: str,
        release_prefix: str | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take over leases of `release_prefix` at once: `leads` returns whether only this replica of the release works."""
        self._api, self._identity, self._release_prefix, self._leads = api, identity, release_prefix, leads
        self._is_everywhere = not namespaces
        name = LEASE_NAME if namespaces else _EVERYWHERE_LEASE_NAME
        self._leases = {
            place: Lease(api, place, name, identity, _DURATION_SECONDS, release_prefix) for place in namespaces or [_EVERYWHERE]
        }
        self._works_from: dict[str, float] = {}
        self._renewed_at: dict[str, float] = {}
        self._others: dict[str, str] = {}
        self._listed_at = float("-inf")
        self._error: str | None = None
        self._waiting: set[str] = set()
        self._logged: dict[str, str] = {}

    def holds(self, namespace: str) -> bool:
        """Return whether this operator works in a namespace at this moment."""
        place = _EVERYWHERE if self._is_everywhere else namespace
        return self._works(place) and namespace not in self._others

    def wait(self, namespace: str) -> None:
        """Note that a namespace has a job to reconcile once its lease is held."""
        self._waiting.add(namespace)

    async def run(self, wake: Callable[[str], None]) -> None:
        """Refresh the leases again and again, and wake the namespaces that waited for theirs."""
        while True:
            await self.refresh()
            self.wake(wake)
            await asyncio.sleep(_REFRESH_SECONDS)

    def wake(self, wake: Callable[[str], None]) -> None:
        """Call `wake` for the namespaces that waited and are held now."""
        for namespace in [namespace for namespace in self._waiting if self.holds(namespace)]:
            self._waiting.discard(namespace)
            wake(namespace)

    async def refresh(self) -> None:
        """Renew the leases that are due, list those of other operators, and log changes."""
        await asyncio.gather(*(self._acquire(place, lease) for place, lease in self._leases.items()))
        if self._is_everywhere:
            await self._list_others()
        self._log_changes()

    async def release(self) -> None:
        """Free all leases, so that others take over at once."""
        await asyncio.gather(*(lease.release() for lease in self._leases.values()))

    def _works(self, place: str) -> bool:
        lease, now = self._leases.get(place), monotonic()
        if lease is None or not lease.held or now < self._works_from[place] or not self._leads():
            return False
        return not self._is_everywhere or now - self._listed_at < _LIST_STALE_SECONDS

    async def _acquire(self, place: str, lease: Lease) -> None:
        was_held, began = lease.held, monotonic()
        if was_held and began - self._renewed_at[place] < _RENEW_SECONDS:
            return
        if not await lease.acquire():
            return
        self._renewed_at[place] = began
        if not was_held:
            continued = lease.gap_seconds is not None and lease.gap_seconds < _CONTINUED_SECONDS
            pause_seconds = 0 if continued or self._is_everywhere else _OTHERS_STOP_SECONDS
            self._works_from[place] = monotonic() + pause_seconds

    async def _list_others(self) -> None:
        """List in which single namespaces other operators work."""
        if not self._leases[_EVERYWHERE].held:
            self._others = {}
            return
        began = monotonic()
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                listed, now = await self._api.get_with_time(f"{LEASES}/leases", fieldSelector=f"metadata.name={LEASE_NAME}")
        except (ApiException, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            message = str(error) or "no answer"
            if message != self._error:
                logger.warning(
                    "the leases of other operators cannot be listed, so this operator reconciles no job until they can be: %s",
                    message,
                )
            self._error = message
            return
        holders = {found["metadata"]["namespace"]: holder_of(found, now) for found in listed["items"]}
        self._others = {place: holder for place, holder in holders.items() if holder and self._is_other(holder)}
        self._listed_at, self._error = began, None

    def _is_other(self, holder: str) -> bool:
        return holder != self._identity and not (self._release_prefix and holder.startswith(self._release_prefix))

    def _log_changes(self) -> None:
        """Log which operator works where, once for each change."""
        at_work = self._at_work()
        for subject, holder in sorted(at_work.items() - self._logged.items()):
            if self._is_other(holder):
                logger.warning("%s is reconciled by %s; this operator leaves it alone", subject, holder)
            else:
                logger.info("%s is reconciled by this operator", subject)
        for subject in sorted(self._logged.keys() - at_work.keys()):
            logger.info("%s is no longer reconciled by %s", subject, self._logged[subject])
        self._logged = at_work
        telemetry.SCOPES_HELD.set(sum(map(self._works, self._leases)))
        telemetry.SCOPES_LEFT_ALONE.set(sum(map(self._is_other, at_work.values())))

    def _at_work(self) -> dict[str, str]:
        scopes = {"every namespace" if self._is_everywhere else f"namespace {place}": place for place in self._leases}
        holders = {subject: self._leases[place].holder for subject, place in scopes.items()}
        others = {f"namespace {place}": holder for place, holder in self._others.items()}
        return {subject: holder for subject, holder in holders.items() if holder} | others
