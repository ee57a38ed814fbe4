"""Runs what a stage asks until it is done or stopped by SIGTERM: then nothing more is asked, and what is under way may end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from alignment_api.run_config import RunConfig

from alignment_trainer.endpoints.asking import Asking, open_asking
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.endpoints.question import Answer, Question, Server, Unanswered
from alignment_trainer.failures import Stopped

Result = TypeVar("Result")

_MESSAGE = "stopped on request; all answers so far are kept, and the next attempt continues with them"
_LONGEST_PATIENCE = 10.0


class StoppableAsking:
    """Asks until the stage is requested to stop."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self.is_stopping = False

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        """Return the answer, or raise Stopped in place of asking."""
        if self.is_stopping:
            raise Stopped(_MESSAGE)
        return await self._asking(server, question)

    def counts(self) -> Counts:
        """Return what was asked so far."""
        return self._asking.counts()


def run_until_stopped(config: RunConfig, work: Callable[[StoppableAsking], Awaitable[Result]]) -> Result:
    """Do the work with open connections to the stage's servers; on SIGTERM raise Stopped soon, with every answer kept."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(_run(config, work))
    finally:
        # The loop leaves the default behind, which would end the process without a word.
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


async def _run(config: RunConfig, work: Callable[[StoppableAsking], Awaitable[Result]]) -> Result:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    async with open_asking(config) as asking:
        stoppable = StoppableAsking(asking)

        def stop() -> None:
            stoppable.is_stopping = True
            asking.end(Stopped(_MESSAGE))
            # An answer that is under way may be paid for already.
            loop.call_later(min(_LONGEST_PATIENCE, config.grace_seconds / 3), task.cancel)

        loop.add_signal_handler(signal.SIGTERM, stop)
        try:
            return await work(stoppable)
        except asyncio.CancelledError:
            raise Stopped(_MESSAGE) from None
