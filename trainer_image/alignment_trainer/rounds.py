"""Which held-out rows each process evaluates when: every row counts once, and all processes take equally many in each round."""

from collections.abc import Iterator
from typing import NamedTuple


class Round(NamedTuple):
    """What one process does while the others do the same with rows of their own."""

    rows: list[int]
    counts: bool
    """False where this process only keeps the others company, since sharing out a model takes all of them."""


def rounds(rows: int, batch: int, process: int, processes: int) -> Iterator[Round]:
    """Give the rounds of one process: full batches, then what is left in equal parts, then the last few rows one by one."""
    start = 0
    while start < rows:
        each = min(batch, (rows - start) // processes)
        if each:
            first = start + process * each
            yield Round(list(range(first, first + each)), True)
            start += each * processes
        else:
            position = start + process
            yield Round([min(position, rows - 1)], position < rows)
            start = rows
