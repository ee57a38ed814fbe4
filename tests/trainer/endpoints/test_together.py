"""Requests that are asked at once."""

import asyncio

import pytest
from alignment_trainer.endpoints.together import all_ended


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
