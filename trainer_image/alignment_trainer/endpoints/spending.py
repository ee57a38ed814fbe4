"""What a stage spends on its servers, and the budget that it never exceeds."""

import asyncio
from dataclasses import dataclass

from alignment_api.spec.endpoints import Budget, Price

from alignment_trainer.endpoints.question import Question
from alignment_trainer.endpoints.replies import Fault, Reply, Usage
from alignment_trainer.failures import BudgetSpent

_TOKENS_OF_A_MESSAGE = 16
_TOKENS_OF_A_PROMPT = 64
"""What chat templates add to each message and to a prompt, at most."""
_MILLION = 1_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Charge:
    """What some requests cost."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.answer_tokens + other.answer_tokens,
            self.cost + other.cost,
        )

    def __sub__(self, other: "Charge") -> "Charge":
        return self + Charge(-other.requests, -other.prompt_tokens, -other.answer_tokens, -other.cost)

    @property
    def tokens(self) -> int:
        """Return the tokens of prompts and answers."""
        return self.prompt_tokens + self.answer_tokens


NOTHING = Charge()


def most_of(question: Question, price: Price | None) -> Charge:
    """Return what one request costs at most."""
    # A token is at least one byte, whatever the server's tokenizer is.
    written = sum(len(message["content"].encode()) + _TOKENS_OF_A_MESSAGE for message in question.messages)
    return _priced(Usage(written + _TOKENS_OF_A_PROMPT, question.sampling.maximum_tokens), price)


def charge_of(outcome: Reply | Fault, most: Charge, price: Price | None) -> Charge:
    """Return what a request has cost; a server that does not say it, and may have charged it, counts with the most."""
    if isinstance(outcome, Fault) and outcome.never_arrived:
        return NOTHING
    if outcome.usage:
        return _priced(outcome.usage, price)
    if isinstance(outcome, Fault) and outcome.is_unpaid:
        return Charge(requests=1)
    return most


def is_estimated(outcome: Reply | Fault) -> bool:
    """Return whether the charge of a request is only the most that it may have cost."""
    return outcome.usage is None and not (isinstance(outcome, Fault) and outcome.is_unpaid)


def _priced(usage: Usage, price: Price | None) -> Charge:
    cost = 0.0
    if price:
        cost = usage.prompt_tokens * price.prompt_per_million_tokens + usage.answer_tokens * price.answer_per_million_tokens
    return Charge(1, usage.prompt_tokens, usage.answer_tokens, cost / _MILLION)


class Spending:
    """What was spent, and what the requests in flight may still cost."""

    def __init__(self, budget: Budget | None, field: str, spent: Charge) -> None:
        self._budget, self._field = budget or Budget(), field
        self.spent, self._reserved = spent, NOTHING
        self._settled = asyncio.Event()

    async def reserve(self, most: Charge) -> None:
        """Reserve what a request costs at most; while others are in flight, wait for what they leave of the budget."""
        while fault := self._fault(most):
            if not self._reserved.requests:
                raise BudgetSpent(fault)
            self._settled.clear()
            await self._settled.wait()
        self._reserved += most

    def settle(self, most: Charge, charge: Charge) -> None:
        """Replace a reservation by what the request has cost."""
        self._reserved -= most
        self.spent += charge
        self._settled.set()

    def has_room_for(self, most: Charge) -> bool:
        """Return whether the budget allows another request."""
        return self._fault(most) is None

    def _fault(self, most: Charge) -> str | None:
        """Return which limit another request may exceed, in a sentence; None if none."""
        total, limits = self.spent + self._reserved + most, self._budget
        if limits.requests is not None and total.requests > limits.requests:
            return f"{self._field}.requests: all {limits.requests:,} requests are spent"
        if limits.tokens is not None and total.tokens > limits.tokens:
            return (
                f"{self._field}.tokens: {self.spent.tokens:,} of {limits.tokens:,} tokens are spent, and the next request "
                f"may take {most.tokens:,}"
            )
        if limits.cost is not None and total.cost > limits.cost + _ROUNDING:
            return (
                f"{self._field}.cost: {self.spent.cost:.6g} of {limits.cost:g} is spent, and the next request "
                f"may cost {most.cost:.6g}"
            )
        return None
