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

_DURATION_SECONDS, _RENEW_WITHIN_SECONDS, _RETRY_SECONDS = 15, 10, 2
_REQUEST_SECONDS = 5
_OUT_OF_REACH = (aiohttp.ClientError, TimeoutError, OSError)

logger = logging.getLogger(__name__)


class _Lease(LeaseLock):
    """The client's own lock; an API server out of reach is a try that failed, and the deadline for renewing decides."""

    async def get(self, name: str, namespace: str) -> Any:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await super().get(name, namespace)
        except _OUT_OF_REACH as error:
            return False, ApiException(status=503, reason=f"the API server cannot be reached ({error})")

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await super().update(name, namespace, updated_record)
        except _OUT_OF_REACH as error:
            logger.warning("the lease cannot be renewed: the API server cannot be reached (%s)", error)
            return False

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        # The client's own way of creating it has a parameter that the client's own validation refuses.
        body = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        try:
            await self.api_instance.create_namespaced_lease(namespace, body)
        except (ApiException, *_OUT_OF_REACH) as error:
            logger.warning("the lease cannot be created: %s", error)
            return False
        return True

    async def release(self) -> None:
        """Let the next replica take it at once; without this it waits until the lease has run out."""
        held = self.lease_reference
        if held is None or held.spec is None or held.spec.holder_identity != self.identity:
            return
        held.spec.holder_identity = None
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await self.api_instance.replace_namespaced_lease(self.name, self.namespace, held)
        except (ApiException, *_OUT_OF_REACH) as error:
            logger.warning("the lease cannot be released, and runs out: %s", error)


async def lead(api: ApiClient, name: str, namespace: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
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

    lock = _Lease(name, namespace, identity, api)
    election = LeaderElection(Config(lock, _DURATION_SECONDS, _RENEW_WITHIN_SECONDS, _RETRY_SECONDS, started, stopped))
    electing = asyncio.create_task(election.run())
    try:
        done, _ = await asyncio.wait({electing, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        electing.cancel()
        await lock.release()
    for ended in done:
        ended.result()
