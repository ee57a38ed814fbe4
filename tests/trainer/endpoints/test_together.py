"""Requests that are asked at once."""

import asyncio

import pytest
from alignment_trainer.endpoints.together import all_ended, dealt


async def request(number, begun, ended):
    begun.append(number)
    for _ in range(number):
        await asyncio.sleep(0)
    if number in (1, 3):
        raise KeyError(number)
    ended.append(number)
    return number


def test_what_is_given_stands_in_the_order_in_which_it_was_asked():
    assert asyncio.run(all_ended(request(number, [], []) for number in (4, 2, 5))) == [4, 2, 5]


def test_a_failure_is_raised_when_the_other_requests_have_ended():
    begun, ended = [], []
    with pytest.raises(KeyError, match=r"^3$"):
        asyncio.run(all_ended(request(number, begun, ended) for number in (5, 3, 1, 4)))
    assert (begun, ended) == ([5, 3, 1, 4], [4, 5]), "the first in the order of the requests, whichever fails first"


def test_items_are_dealt_to_workers_until_one_fails() -> None:
    """The fourth fails: what was under way beside it ends, and nothing else begins."""
    begun: list[int] = []
    ended: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        await asyncio.sleep(0)
        if item == 3:
            raise ValueError("the fourth")
        await asyncio.sleep(0)
        ended.append(item)

    with pytest.raises(ValueError, match="the fourth"):
        asyncio.run(dealt(iter(range(100)), 2, work))
    assert ended == sorted(set(begun) - {3})
    assert len(begun) < 8


def test_all_items_are_dealt_once() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        await asyncio.sleep(0)
        done.append(item)

    asyncio.run(dealt(iter(range(10)), 3, work))
    assert sorted(done) == list(range(10))
