"""Asks several requests at once, such that a failure loses none of the others."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

Given = TypeVar("Given")


async def all_ended(asked: Iterable[Awaitable[Given]]) -> list[Given]:
    """Return what all requests give; raise the first failure only when the others have ended, since these are paid."""
    ended = await asyncio.gather(*asked, return_exceptions=True)
    given = [each for each in ended if not isinstance(each, BaseException)]
    if len(given) < len(ended):
        raise next(failure for failure in ended if isinstance(failure, BaseException))
    return given
