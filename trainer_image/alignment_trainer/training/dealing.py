"""Which rows each process takes in which turn: each row counts once, and all processes take the same number of turns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy


class Deal(NamedTuple):
    """The rows of one process in one forward; the other processes run a forward on other rows at the same time."""

    rows: list[int]
    counts: bool
    """False for padding work: with sharding, every process must join each forward."""


def deal(rows: Sequence[int], at_once: int, process: int, processes: int) -> list[Deal]:
    """Deal rows out to one process: full batches first, then the rest in equal parts, then the last few rows one by one."""
    dealt, start = [], 0
    while start < len(rows):
        each = min(at_once, (len(rows) - start) // processes)
        if each:
            first = start + process * each
            dealt.append(Deal(list(rows[first : first + each]), True))
            start += each * processes
        else:
            position = start + process
            dealt.append(Deal([rows[min(position, len(rows) - 1)]], position < len(rows)))
            start = len(rows)
    return dealt


def order(rows: int, seed: int, epoch: int) -> list[int]:
    """Shuffle the rows for one epoch, in the same order on all processes."""
    shuffled: list[int] = numpy.random.default_rng([seed, epoch]).permutation(rows).tolist()
    return shuffled
