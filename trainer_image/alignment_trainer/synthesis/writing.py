"""Makes the rows of a stage from its prompts, many at once; what was made is kept, counted, reported and continued."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from alignment_api.run_config import RunConfig
from alignment_api.spec.parts import endpoints_of

from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.endpoints.pacing.pace import CONCURRENCY
from alignment_trainer.endpoints.together import dealt
from alignment_trainer.failures import TooFewRows, UnusableAnswers
from alignment_trainer.settings.given import stage_path
from alignment_trainer.synthesis.made import LeftOut, Made, Outcome, by_reason
from alignment_trainer.synthesis.progress import Counted, Progress
from alignment_trainer.synthesis.prompts import Prompt

Make = Callable[[Prompt], Awaitable[Outcome]]

_NO_KEY = "0"
_MADE_AT_ONCE = 256
"""Prompts that an earlier attempt has answered, passed over in some milliseconds."""


@dataclass(frozen=True)
class Report:
    """What a stage has written, and what it cost."""

    made: Made
    asked: Counts


async def write_rows(
    config: RunConfig,
    prompts: Iterable[Prompt | LeftOut],
    total: int,
    make: Make,
    asking: Counted,
    maximum_failed_share: float,
) -> Report:
    """Make the rows of all prompts that no earlier attempt has made; raise the first failure when what is under way has ended."""
    made = Made(Path(config.paths.stage), total)
    progress = Progress(config, made, total, asking)
    writing = _Writing(config, made, _Limit(stage_path(config), total, maximum_failed_share), make, progress)
    async with progress.reported():
        await writing.run(enumerate(prompts))
    writing.limit.check_end(made)
    return Report(made, asking.counts())


class _Writing:
    def __init__(self, config: RunConfig, made: Made, limit: "_Limit", make: Make, progress: Progress) -> None:
        # A stage without endpoints pairs rows that are judged already.
        self._workers = sum(endpoint.concurrency or CONCURRENCY for _, endpoint in endpoints_of(config.stage)) or 1
        self._made, self._make, self._progress = made, make, progress
        self.limit = limit

    async def run(self, remaining: Iterator[tuple[int, Prompt | LeftOut]]) -> None:
        """Deal the prompts to as many workers as all endpoints take requests at once."""
        await dealt(remaining, self._workers, self._finish)

    async def _finish(self, numbered: tuple[int, Prompt | LeftOut]) -> None:
        position, prompt = numbered
        key = prompt.key if isinstance(prompt, Prompt) else _NO_KEY
        is_made = self._made.has(position, key)
        if not is_made or position % _MADE_AT_ONCE == 0:
            # Where all is known already, nothing else waits: the progress has to be written and a signal to be heard.
            await asyncio.sleep(0)
        if is_made:
            return
        if isinstance(prompt, Prompt):
            outcome = await self._make(prompt)
            if isinstance(outcome, LeftOut):
                outcome = replace(outcome, place=prompt.place)
            else:
                self._progress.show(prompt, outcome)
        else:
            outcome = prompt
        self._made.add(position, key, outcome)
        self.limit.check(self._made)


@dataclass(frozen=True)
class _Limit:
    """How many prompts may stay without a usable answer."""

    path: str
    total: int
    share: float

    def check(self, made: Made) -> None:
        """Fail as soon as too many prompts are unanswered: what is asked afterwards would be paid for nothing."""
        if made.failed.total() > self.share * self.total:
            raise self._failure(
                made,
                f"{made.failed.total()} of {self.total} prompts have no usable answer ({by_reason(made.failed)}), "
                f"more than maximumFailedShare {self.share:g}",
            )

    def check_end(self, made: Made) -> None:
        """Fail if nothing was written at all."""
        if not made.written:
            raise self._failure(made, f"none of {self.total} prompts gives a row ({by_reason(made.left_out)})")

    def _failure(self, made: Made, what: str) -> TooFewRows | UnusableAnswers:
        """Return a failure that is retried only if another attempt would ask something."""
        if made.asked_again:
            return TooFewRows(f"{self.path}: {what}; all answers are kept, and the next attempt asks for the others")
        return UnusableAnswers(
            f"{self.path}: {what}; all requests were answered, and another attempt would read the same answers"
        )
