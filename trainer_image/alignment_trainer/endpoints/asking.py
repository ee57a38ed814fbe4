"""Asks the servers of a stage, and keeps their answers."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from alignment_api.run_config import RunConfig
from alignment_api.spec.endpoints import Budget

from alignment_trainer.endpoints.attempts import Attempts, keep_nothing
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.endpoints.pacing.pace import PATIENCE, Patience
from alignment_trainer.endpoints.probe import PROBE, failure_of, probe_key
from alignment_trainer.endpoints.question import Answer, Question, Server, Unanswered
from alignment_trainer.endpoints.records.kept_answers import ANSWERS_FOLDER, KeptAnswers, answer_key
from alignment_trainer.endpoints.records.ledger import LEDGER_FILE, History, Ledger, charge_of_line, read_history
from alignment_trainer.endpoints.servers import Servers
from alignment_trainer.endpoints.spending import Charge, Spending, most_of
from alignment_trainer.endpoints.together import all_ended
from alignment_trainer.failures import StageFailure
from alignment_trainer.settings.given import stage_path

_NOTE_SECONDS = 5.0
"""A stage that is killed forgets the kept answers that it took in so many seconds."""


@asynccontextmanager
async def open_asking(config: RunConfig, patience: Patience = PATIENCE) -> AsyncIterator["Asking"]:
    """Open all that asking needs; only one process of a stage may do so, since the stage has one ledger."""
    stage = Path(config.paths.stage)
    async with AsyncExitStack() as closing:
        kept = KeptAnswers(Path(config.paths.workspace) / config.job.namespace / ANSWERS_FOLDER)
        closing.push_async_callback(kept.close)
        stage.mkdir(parents=True, exist_ok=True)
        history = read_history(stage / LEDGER_FILE)
        ledger = Ledger(stage / LEDGER_FILE, history.last)
        closing.push_async_callback(ledger.close)
        await _settle(history, ledger, kept)
        servers = Servers(config, patience)
        closing.push_async_callback(servers.close)
        budget: Budget | None = getattr(config.stage.settings, "budget", None)
        spending = Spending(budget, f"{stage_path(config)}.budget", history.spent)
        attempts = Attempts(servers, spending, ledger, history, patience)
        closing.push_async_callback(attempts.finish)
        asking = Asking(kept, attempts, spending, history, ledger)
        closing.push_async_callback(asking.note_kept)
        yield asking


async def _settle(history: History, ledger: Ledger, kept: KeptAnswers) -> None:
    """Settle what was in flight when the last attempt was killed, before anything is asked again."""
    for number, sent in list(history.in_flight.items()):
        most, answer = charge_of_line(sent), kept.get(sent["key"])
        if answer:
            charge = Charge(1, answer.prompt_tokens, answer.answer_tokens, most.cost)
            history.take(await ledger.answered(number, charge, is_estimated=True))
        else:
            history.take(await ledger.possibly_paid(number, most))


class Asking:
    """Asks servers; each answer is paid for once."""

    def __init__(self, kept: KeptAnswers, attempts: Attempts, spending: Spending, history: History, ledger: Ledger) -> None:
        self._kept, self._attempts, self._spending, self._history, self._ledger = kept, attempts, spending, history, ledger
        self._taken, self._noted = 0, time.monotonic()
        """How many kept answers were taken since the ledger counted them last, and when it did."""
        self._unanswered: Counter[str] = Counter()
        self._asked_now: dict[str, asyncio.Event] = {}

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        """Return a kept answer, or ask the server for one, and keep it if the question allows that."""
        key = answer_key(server.endpoint, question)
        async with self._alone(key):
            kept = self._kept.get(key)
            if kept:
                self._taken += 1
                if time.monotonic() - self._noted >= _NOTE_SECONDS:
                    await self.note_kept()
                return kept
            answer = await self._attempts.ask(server, question, key, partial(self._keep, key, question))
        if isinstance(answer, Unanswered):
            self._unanswered[answer.reason] += 1
        return answer

    async def note_kept(self) -> None:
        """Tell the ledger how many kept answers were taken: a stage may ask several times, and each attempt again."""
        taken, self._taken, self._noted = self._taken, 0, time.monotonic()
        if taken:
            self._history.kept += taken
            await self._ledger.kept(taken)

    async def _keep(self, key: str, question: Question, answer: Answer) -> None:
        if question.may_keep is None or question.may_keep(answer.text):
            await self._kept.put(key, answer)

    async def probe(self, servers: list[Server]) -> None:
        """Ask each server for one token, and raise the failure of the first that cannot be asked; the answers are not kept."""
        await all_ended(self._probe(server) for server in servers)

    async def _probe(self, server: Server) -> None:
        if self._spending.has_room_for(most_of(PROBE, server.endpoint.price)):
            answer = await self._attempts.ask(server, PROBE, probe_key(server), keep_nothing)
            if isinstance(answer, Unanswered) and (failure := failure_of(server, answer)):
                raise failure

    def end(self, failure: StageFailure) -> None:
        """Send nothing more: who waits to send gets the failure, and what is under way may end."""
        self._attempts.end(failure)

    def counts(self) -> Counts:
        """Return what was asked so far."""
        spent, history = self._spending.spent, self._history
        return Counts(
            spent.requests,
            spent.prompt_tokens,
            spent.answer_tokens,
            spent.cost,
            answers=self._attempts.answers,
            kept_answers=history.kept + self._taken,
            possibly_paid=history.possibly_paid,
            estimated=self._attempts.estimated,
            unanswered=dict(self._unanswered),
            faults=dict(self._attempts.faults),
        )

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Wait while another task asks the same question: its answer is kept then."""
        while asked := self._asked_now.get(key):
            await asked.wait()
        asked = self._asked_now[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._asked_now[key]
            asked.set()
