"""One replica works at a time: the one that holds the Lease."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, V1Lease, V1ObjectMeta
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

_LEASE = "alignment-operator"
_DURATION_SECONDS, _RENEW_WITHIN_SECONDS, _RETRY_SECONDS = 15, 10, 2

logger = logging.getLogger(__name__)


class _Lease(LeaseLock):
    """The client's own lock, but for a parameter of its creation that the client's own validation refuses."""

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        body = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        try:
            await self.api_instance.create_namespaced_lease(namespace, body)
        except ApiException as error:
            logger.warning("the lease cannot be created: %s", error.reason)
            return False
        return True


async def lead(api: ApiClient, namespace: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Wait for the Lease, then work for as long as it is held; losing it ends this call."""
    identity = f"{os.environ.get('HOSTNAME') or socket.gethostname()}-{os.getpid()}"
    working: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def started() -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not working.done():
                working.set_exception(error)
        else:
            if not working.done():
                working.set_result(None)

    async def stopped() -> None:
        logger.error("the lease was lost; another replica may be at work now")

    lock = _Lease(_LEASE, namespace, identity, api)
    election = LeaderElection(Config(lock, _DURATION_SECONDS, _RENEW_WITHIN_SECONDS, _RETRY_SECONDS, started, stopped))
    electing = asyncio.create_task(_elect(election))
    done, _ = await asyncio.wait({electing, working}, return_when=asyncio.FIRST_COMPLETED)
    electing.cancel()
    for ended in done:
        ended.result()


async def _elect(election: LeaderElection) -> None:
    while True:
        try:
            await election.run()
        except (aiohttp.ClientError, TimeoutError) as error:
            # Before leading, an API server out of reach is waited for; while leading, the lease runs out and the process ends.
            if (
                election.observed_record is not None
                and election.observed_record.holder_identity == election.election_config.lock.identity
            ):
                raise
            logger.warning("the API server cannot be reached (%s); waiting for the lease", error)
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return
