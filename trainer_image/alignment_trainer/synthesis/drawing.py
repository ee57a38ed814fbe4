"""Draws who answers a row and with which seed: only from the stage's seed and what the row asks."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_SEEDS = 2**31
"""Servers take seeds as signed numbers of 32 bits."""


def drawn_seed(seed: int, *what: object) -> int:
    """Return the seed with which something is asked."""
    return _number(seed, *what) % _SEEDS


def shared(items: Sequence[Item], seed: int, key: str) -> Item:
    """Return which of several models takes a row; a changed number of rows changes nothing for the others."""
    return items[_number(seed, "taken by", key) % len(items)]


def _number(*what: object) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(map(str, what)).encode(), digest_size=8).digest())
