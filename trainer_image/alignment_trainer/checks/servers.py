"""Asks each teacher and judge of a stage for one token, before the stage starts."""

import asyncio

from alignment_api.run_config import RunConfig
from alignment_api.spec.parts import endpoints_of


def check_servers(config: RunConfig) -> None:
    """Raise the failure of the first server that cannot be asked; the stage's folder, which has the ledger, is claimed."""
    if endpoints_of(config.stage):
        asyncio.run(_probe(config))


async def _probe(config: RunConfig) -> None:
    # Stages that ask no server do not load the SDK.
    from alignment_trainer.endpoints.asking import open_asking
    from alignment_trainer.endpoints.servers import servers_of

    async with open_asking(config) as asking:
        await asking.probe(servers_of(config))
