"""Which rows each process takes when: every row counts once, and all processes take equally many rounds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy


class Round(NamedTuple):
    """What one process does while the others do the same with rows of their own."""

    rows: list[int]
    counts: bool
    """False where this process only keeps the others company, since sharing out a model takes all of them."""


def rounds(rows: Sequence[int], at_once: int, process: int, processes: int) -> list[Round]:
    """Deal rows out: full rounds, then what is left in equal parts, then the last few rows one by one."""
    dealt, start = [], 0
    while start < len(rows):
        each = min(at_once, (len(rows) - start) // processes)
        if each:
            first = start + process * each
            dealt.append(Round(list(rows[first : first + each]), True))
            start += each * processes
        else:
            position = start + process
            dealt.append(Round([rows[min(position, len(rows) - 1)]], position < len(rows)))
            start = len(rows)
    return dealt


def order(rows: int, seed: int, epoch: int) -> list[int]:
    """Shuffle the rows for one pass over them, alike on all processes."""
    shuffled: list[int] = numpy.random.default_rng([seed, epoch]).permutation(rows).tolist()
    return shuffled
