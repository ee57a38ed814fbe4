"""Reports how many rows a stage has made and what they cost, every few seconds, and shows some of the rows."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from alignment_api import metrics
from alignment_api.run_config import RunConfig

from alignment_trainer.asking.prompts import readable
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.synthesis.made import Made, WrittenRow
from alignment_trainer.synthesis.prompts import Prompt
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.samples import Sample, Samples

_SECONDS = 5.0
_RECENT = 24
"""Speed is measured over so many reports: two minutes."""
_SHOWN_AT_ONCE, _SHOWINGS = 4, 4


class Counted(Protocol):
    """Knows what was asked so far."""

    def counts(self) -> Counts:
        """Return it."""


class _Moment(NamedTuple):
    seconds: float
    done: int
    answer_tokens: int


class Progress:
    """Reports the progress of one attempt."""

    def __init__(self, config: RunConfig, made: Made, total: int, asking: Counted) -> None:
        self._made, self._total, self._asking = made, total, asking
        stage = Path(config.paths.stage)
        self._journal, self._samples = Journal(stage), Samples(stage)
        self._newest: deque[Sample] = deque(maxlen=_SHOWN_AT_ONCE)
        self._showings = made.done * _SHOWINGS // max(1, total) + bool(self._samples.steps)
        self._recent: deque[_Moment] = deque(maxlen=_RECENT)

    @asynccontextmanager
    async def reported(self) -> AsyncIterator[None]:
        """Report every few seconds until the block ends, and at its end; a slow server then does not look like a stall."""
        self.report()
        task = asyncio.create_task(self._repeat())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.report()
            self._journal.flush_to_disk()

    def show(self, prompt: Prompt, rows: list[WrittenRow]) -> None:
        """Remember a row as one of those that people are shown."""
        if rows:
            self._newest.append(_sample(prompt, rows[0]))

    def report(self) -> None:
        """Append a point to the journal, and the newest rows to the samples after each further quarter of all prompts."""
        counts = self._asking.counts()
        self._recent.append(_Moment(time.monotonic(), self._made.done, counts.answer_tokens))
        self._journal.append(self._made.done, {**of_counts(counts), **self._rows(), **self._speed()}, self._left())
        self._append_samples()

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            self.report()

    def _rows(self) -> dict[str, float]:
        reasons = {metrics.left_out_of(reason): float(count) for reason, count in self._made.left_out.items()}
        total = self._made.left_out.total()
        return {metrics.ROWS_WRITTEN: float(self._made.written), metrics.ROWS_LEFT_OUT: float(total), **reasons}

    def _speed(self) -> dict[str, float]:
        seconds, _, tokens = self._gained()
        return {metrics.ANSWER_TOKENS_PER_SECOND: round(tokens / seconds, 1)} if seconds else {}

    def _left(self) -> dict[str, float]:
        progress = {metrics.TOTAL_STEPS: float(self._total)}
        seconds, done, _ = self._gained()
        if done:
            progress[metrics.SECONDS_LEFT] = round(seconds / done * (self._total - self._made.done), 1)
        return progress

    def _gained(self) -> _Moment:
        first, last = self._recent[0], self._recent[-1]
        return _Moment(last.seconds - first.seconds, last.done - first.done, last.answer_tokens - first.answer_tokens)

    def _append_samples(self) -> None:
        if self._newest and self._made.done * _SHOWINGS >= self._showings * self._total:
            self._showings = self._made.done * _SHOWINGS // self._total + 1
            self._samples.append([sample.model_copy(update={"step": self._made.done}) for sample in self._newest])


def of_counts(counts: Counts) -> dict[str, float]:
    """Return what was asked as metrics."""
    unanswered = {metrics.unanswered_of(reason): float(count) for reason, count in counts.unanswered.items()}
    return {
        metrics.REQUESTS: float(counts.requests),
        metrics.PROMPT_TOKENS: float(counts.prompt_tokens),
        metrics.ANSWER_TOKENS: float(counts.answer_tokens),
        metrics.COST: float(counts.cost),
        metrics.KEPT_ANSWERS: float(counts.kept_answers),
        metrics.POSSIBLY_PAID: float(counts.possibly_paid),
        metrics.UNANSWERED: float(sum(counts.unanswered.values())),
        **unanswered,
    }


def _sample(prompt: Prompt, row: WrittenRow) -> Sample:
    """Return a row as people read it: a dialogue after its opening, or the two answers of a pair."""
    asked: list[dict[str, Any]] = [dict(message) for message in prompt.messages]
    if "chosen" in row:
        pair = {name: readable(row[name]) for name in ("chosen", "rejected")}
        return Sample(step=0, key=prompt.key, prompt=readable(asked), policy=pair["chosen"], **pair)
    said = row["messages"]
    # A dialogue about a topic does not begin with it.
    written = said[len(asked) :] if said[: len(asked)] == asked else said
    return Sample(step=0, key=prompt.key, prompt=readable(asked), policy=readable(written))
