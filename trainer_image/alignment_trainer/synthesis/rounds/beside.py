"""Writes rows in a folder beside the training, and shows in the stage's own files that this goes on: it may take hours."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.progress import Counted, of_counts
from alignment_trainer.synthesis.prompts import Prompt
from alignment_trainer.synthesis.writing import Make, Report, write_rows
from alignment_trainer.workspace.activity import advancing
from alignment_trainer.workspace.journal import Journal

_SECONDS = 5.0


class Beside(NamedTuple):
    """Where rows are written, and what that is called in the stage's activity."""

    folder: Path
    what: str
    maximum_failed_share: float


async def write_beside(
    config: RunConfig, beside: Beside, prompts: Iterable[Prompt | LeftOut], total: int, make: Make, asking: Counted
) -> Report:
    """Make rows as `write_rows` does, in a folder whose journal counts rows: that of the stage counts training steps."""
    beside.folder.mkdir(parents=True, exist_ok=True)
    own = config.model_copy(update={"paths": config.paths.model_copy(update={"stage": str(beside.folder)})})
    with advancing(beside.what, total, "rows") as advance:

        async def counted(prompt: Prompt) -> Outcome:
            outcome = await make(prompt)
            advance(1)
            return outcome

        async with shown(config, asking):
            return await write_rows(own, prompts, total, counted, asking, beside.maximum_failed_share)


@asynccontextmanager
async def shown(config: RunConfig, asking: Counted) -> AsyncIterator[None]:
    """Show every few seconds what was asked so far: a slow server, or one that lets us wait, then does not look like a stall."""
    journal = Journal(Path(config.paths.stage))
    task = asyncio.create_task(_repeat(journal, asking))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _repeat(journal: Journal, asking: Counted) -> None:
    while True:
        journal.show(of_counts(asking.counts()))
        await asyncio.sleep(_SECONDS)
