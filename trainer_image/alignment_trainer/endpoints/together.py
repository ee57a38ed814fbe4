"""Asks several requests at once, such that a failure loses none of the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

Given = TypeVar("Given")


async def all_ended(asked: Iterable[Awaitable[Given]]) -> list[Given]:
    """Return what all requests give; raise the first failure only when the others have ended, since these are paid."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    given = [each for each in ended if not isinstance(each, BaseException)]
    if len(given) < len(ended):
        raise next(failure for failure in ended if isinstance(failure, BaseException))
    return given


async def dealt(items: Iterator[Given], workers: int, work: Callable[[Given], Awaitable[None]]) -> None:
    """Deal items to workers until none remains or work on one fails: what the other workers have under way is paid, and ends."""
    failures: list[Exception] = []

    async def take() -> None:
        try:
            while not failures and (item := next(items, None)) is not None:
                await work(item)
        except Exception as failure:
            failures.append(failure)

    await asyncio.gather(*(take() for _ in range(workers)))
    if failures:
        raise failures[0]
