"""Asks a question until it is answered or has used up its tries; each attempt is reserved before and settled after."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from alignment_trainer.endpoints.pacing.pace import Pace, Patience, Turn
from alignment_trainer.endpoints.probe import PROBE, is_probe, probe_key
from alignment_trainer.endpoints.question import Answer, Question, Server, Unanswered
from alignment_trainer.endpoints.records.ledger import History, Ledger
from alignment_trainer.endpoints.replies import Fault, Reply
from alignment_trainer.endpoints.servers import Servers
from alignment_trainer.endpoints.spending import NOTHING, Charge, Spending, charge_of, is_estimated, most_of
from alignment_trainer.failures import BudgetSpent, KeyRefused, StageFailure, Unreachable

Recorded = TypeVar("Recorded")
Keep = Callable[[Answer], Awaitable[None]]

_LONGEST_WAIT_SECONDS = 24 * 60 * 60


class _Settled(NamedTuple):
    """How an attempt has ended."""

    number: int
    outcome: Reply | Fault
    charge: Charge
    is_estimated: bool


class Attempts:
    """All attempts of a stage; the failure that ends one of them ends all that follow."""

    def __init__(self, servers: Servers, spending: Spending, ledger: Ledger, history: History, patience: Patience) -> None:
        self._servers, self._spending, self._ledger, self._patience = servers, spending, ledger, patience
        self.answers, self.estimated = history.answers, history.estimated
        self.faults: Counter[str] = Counter()
        self._recording: set[asyncio.Task[Any]] = set()
        self._end: StageFailure | None = None

    async def ask(self, server: Server, question: Question, key: str, keep: Keep) -> Answer | Unanswered:
        """Return the answer of a server, after as many attempts as it needs."""
        pace, tries, tries_when_busy = self._servers.pace(server), 0, 0
        while True:
            answer = await self._once(server, pace, question, key, keep)
            if isinstance(answer, Answer):
                return answer
            self._raise_end()
            tries_when_busy += answer.kind == "Busy"
            tries += answer.kind != "Busy"
            is_last = tries >= self._patience.tries or tries_when_busy >= self._patience.tries_when_busy
            # Where the server fails whatever it is asked, the question is not at fault.
            if (is_last or pace.is_away) and not await self._works(server, pace):
                is_last = False
            if answer.kind == "Rejected" or is_last:
                return Unanswered(answer.reason, f"{server.endpoint.base_url} {answer.detail}")
            if answer.kind != "Busy":
                await asyncio.sleep(self._patience.backoff_seconds(tries) * random.uniform(0.75, 1.25))

    async def _works(self, server: Server, pace: Pace) -> bool:
        """Ask a server that seems to fail for one token, and return whether it answers; one that is away ends the stage."""
        async with pace.doubted:
            was_away = pace.is_away
            if pace.is_failing:
                answer = await self._once(server, pace, PROBE, probe_key(server), keep_nothing, goes_first=True)
                if was_away and pace.is_failing and isinstance(answer, Fault):
                    self.end(_away(server, self._patience, answer))
                self._raise_end()
            return not pace.is_failing

    async def _once(
        self, server: Server, pace: Pace, question: Question, key: str, keep: Keep, goes_first: bool = False
    ) -> Answer | Fault:
        settled = await self._attempt(server, pace, question, key, goes_first)
        # What has arrived is paid: it is kept even if no caller waits for it any longer.
        return await asyncio.shield(self._record_later(self._record(settled, key, keep)))

    async def finish(self) -> None:
        """Wait until all that has arrived is kept and written."""
        await asyncio.gather(*self._recording, return_exceptions=True)

    async def _record(self, settled: _Settled, key: str, keep: Keep) -> Answer | Fault:
        """Keep an answer before the ledger says that there is one, so that a crash between the two loses nothing."""
        number, outcome, charge, estimated = settled
        self.estimated += estimated
        if isinstance(outcome, Fault):
            await self._ledger.failed(number, outcome.reason, charge, estimated)
            return outcome
        answer = Answer(outcome.text, outcome.finish, charge.prompt_tokens, charge.answer_tokens)
        await keep(answer)
        await self._ledger.answered(number, charge, estimated)
        self.answers += not is_probe(key)
        return answer

    async def _attempt(self, server: Server, pace: Pace, question: Question, key: str, goes_first: bool) -> _Settled:
        price = server.endpoint.price
        most = most_of(question, price)
        async with pace.turn(most.tokens, goes_first) as turn:
            await self._reserve(most)
            number, charge = self._ledger.next_number(), NOTHING
            try:
                await self._written(number, key, most)
                # What is cancelled from here on is possibly paid.
                charge = most
                outcome = await self._servers.wire(server).send(question)
                charge = charge_of(outcome, most, price)
            finally:
                self._spending.settle(most, charge)
                pace.used(turn, charge.tokens)
            self._learn(server, pace, turn, outcome)
        return _Settled(number, outcome, charge, is_estimated(outcome))

    async def _written(self, number: int, key: str, most: Charge) -> None:
        """Return when the ledger says that a request is about to be sent."""
        try:
            await self._ledger.sent(number, key, most)
        except asyncio.CancelledError:
            self._record_later(self._ledger.failed(number, "NotSent", NOTHING, is_estimated=False))
            raise

    def _record_later(self, recording: Coroutine[None, None, Recorded]) -> asyncio.Task[Recorded]:
        task = asyncio.create_task(recording)
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return task

    async def _reserve(self, most: Charge) -> None:
        self._raise_end()
        try:
            await self._spending.reserve(most)
        except BudgetSpent as error:
            await self.finish()
            self.end(BudgetSpent(f"{error}; {self.answers:,} answers are paid for and kept; raise it to continue with them"))
            self._raise_end()
        if self._end:
            # Others may wait for what this request leaves of the budget.
            self._spending.settle(most, NOTHING)
            self._raise_end()

    def _learn(self, server: Server, pace: Pace, turn: Turn, outcome: Reply | Fault) -> None:
        """Take note of what an attempt says about its server."""
        if isinstance(outcome, Reply):
            pace.works()
            self._servers.check(server, outcome.model)
            return
        self.faults[outcome.reason] += 1
        if (outcome.wait_seconds or 0) > _LONGEST_WAIT_SECONDS:
            self.end(_closed(server, outcome))
        elif outcome.kind in ("Busy", "Down"):
            pace.failed(turn, outcome)
        elif outcome.kind == "Refused":
            self.end(_refused(server, outcome, self._servers.advice_to_refused(server)))
        else:
            pace.works()

    def end(self, failure: StageFailure) -> None:
        """Send nothing more: who waits to send gets the failure, and what is under way may end."""
        self._end = self._end or failure
        self._servers.end()

    def _raise_end(self) -> None:
        if self._end:
            # Several tasks raise it, and each adds its own traceback.
            raise type(self._end)(str(self._end))


def _refused(server: Server, fault: Fault, advice: str) -> KeyRefused:
    return KeyRefused(f"{server.field}.apiKeySecret: {server.endpoint.base_url} {fault.detail}; {advice}")


async def keep_nothing(_: Answer) -> None:
    """Keep no answer to a probe: it has one token."""


def _closed(server: Server, fault: Fault) -> Unreachable:
    days = (fault.wait_seconds or 0) / _LONGEST_WAIT_SECONDS
    return Unreachable(
        f"{server.field}.baseUrl: {server.endpoint.base_url} {fault.detail}, and asks to wait {days:,.1f} days; "
        f"check the limits of your account; the stage keeps its answers and tries again later"
    )


def _away(server: Server, patience: Patience, fault: Fault) -> Unreachable:
    return Unreachable(
        f"{server.field}.baseUrl: {server.endpoint.base_url} {fault.detail} to a question of one token, after it failed "
        f"{patience.failures} times in a row; check the server and the network; the stage keeps its answers and tries again later"
    )
