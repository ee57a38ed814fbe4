"""What requests cost, and the budget that they never exceed."""

import asyncio
from typing import Any

import pytest
from alignment_api.spec.endpoints import Budget, Price
from alignment_trainer.endpoints.question import Question, SamplingSettings
from alignment_trainer.endpoints.replies import Fault, Reply, Usage
from alignment_trainer.endpoints.spending import Charge, Spending, charge_of, is_estimated, most_of
from alignment_trainer.failures import BudgetSpent

PRICE = Price(prompt_per_million_tokens=1_000, answer_per_million_tokens=10_000)
MOST = Charge(1, 80, 20, 0.28)


def test_the_most_is_as_many_tokens_as_the_prompt_has_bytes_and_the_longest_answer() -> None:
    question = Question(({"role": "user", "content": "äb"},), SamplingSettings(0, 1, 20), seed=1)
    assert most_of(question, None) == Charge(1, 3 + 16 + 64, 20, 0)
    assert most_of(question, PRICE) == Charge(1, 83, 20, pytest.approx(0.083 + 0.2))


CHARGES = {
    "an answer": (Reply("yes", "stop", Usage(7, 3), "large"), Charge(1, 7, 3, 0.037), False),
    "an answer without usage": (Reply("yes", "stop", None, "large"), MOST, True),
    "an empty answer": (Fault("Unusable", "EmptyAnswer", "", usage=Usage(7, 1)), Charge(1, 7, 1, 0.017), False),
    "an answer without choices": (Fault("Unusable", "NoChoices", ""), MOST, True),
    "an error": (Fault("Down", "Status500", "", is_unpaid=True), Charge(1), False),
    "a timeout": (Fault("Down", "Timeout", ""), MOST, True),
    "no connection": (Fault("Down", "NoConnection", "", is_unpaid=True, never_arrived=True), Charge(), False),
}


@pytest.mark.parametrize("case", CHARGES)
def test_what_may_have_been_charged_counts_with_the_most(case: str) -> None:
    outcome, charge, estimated = CHARGES[case]
    found = charge_of(outcome, MOST, PRICE)
    assert (found.requests, found.prompt_tokens, found.answer_tokens) == (
        charge.requests,
        charge.prompt_tokens,
        charge.answer_tokens,
    )
    assert found.cost == pytest.approx(charge.cost)
    assert is_estimated(outcome) is estimated


def spend(
    budget: dict[str, Any] | None, charge: Charge, requests: int = 100, workers: int = 16
) -> tuple[Spending, list[str], int]:
    """Send requests with some workers until the budget is spent; return the most that was reserved and spent together."""
    refused: list[str] = []
    most_at_once = 0

    async def run() -> Spending:
        spending = Spending(Budget(**budget) if budget else None, "spec.stages[0].distill.budget", Charge())
        remaining = iter(range(requests))
        now = 0

        async def work() -> None:
            nonlocal now, most_at_once
            for number in remaining:
                try:
                    await spending.reserve(MOST)
                except BudgetSpent as error:
                    refused.append(str(error))
                    return
                now += 1
                most_at_once = max(most_at_once, now)
                await asyncio.sleep(0.001 * (number % 3))
                now -= 1
                spending.settle(MOST, charge)

        await asyncio.gather(*(work() for _ in range(workers)))
        return spending

    return asyncio.run(run()), refused, most_at_once


USED = Charge(1, 7, 3, 0.01)
BUDGETS: list[tuple[dict[str, Any] | None, int, str]] = [
    (None, 100, ""),
    ({"requests": 100}, 100, ""),
    ({"requests": 37}, 37, "spec.stages[0].distill.budget.requests: all 37 requests are spent"),
    (
        {"tokens": 500},
        41,
        "spec.stages[0].distill.budget.tokens: 410 of 500 tokens are spent, and the next request may take 100",
    ),
    ({"tokens": 90}, 0, "spec.stages[0].distill.budget.tokens: 0 of 90 tokens are spent, and the next request may take 100"),
    ({"cost": 0.5}, 23, "spec.stages[0].distill.budget.cost: 0.23 of 0.5 is spent, and the next request may cost 0.28"),
    ({"requests": 50, "tokens": 200}, 11, "spec.stages[0].distill.budget.tokens: 110 of 200 tokens"),
]


@pytest.mark.parametrize(("budget", "requests", "sentence"), BUDGETS)
def test_a_budget_is_used_up_to_its_last_request_and_never_exceeded(
    budget: dict[str, Any] | None, requests: int, sentence: str
) -> None:
    spending, refused, most_at_once = spend(budget, USED)
    assert spending.spent.requests == requests
    assert all(each.startswith(sentence) and sentence for each in refused)
    assert bool(refused) == bool(sentence)
    if budget is None:
        assert most_at_once == 16


@pytest.mark.parametrize("limit", [{"requests": 40}, {"tokens": 4000}, {"cost": 40 * 0.28}])
def test_requests_that_all_cost_the_most_stay_within_the_budget(limit: dict[str, Any]) -> None:
    spending, _, _ = spend(limit, MOST)
    assert spending.spent.requests == 40
    assert spending.has_room_for(MOST) is False
