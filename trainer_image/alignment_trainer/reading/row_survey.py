"""Looks at every row of a source on all processors: how many there are, how many answer nothing, and whether all can be read."""

import multiprocessing
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from alignment_trainer.process.parallel import parallel_map, worker_count
from alignment_trainer.reading.messages import BadRow
from alignment_trainer.reading.sources import PlacedRow, Source
from alignment_trainer.workspace.activity import measured

_FEWEST_ROWS_TO_SPREAD = 5000
_BLOCK_ROWS = 256
_READ_WHOLE = (".json", ".csv")
"""To find one row in a file of these, all rows before it must be parsed: several readers would do the same work."""


class Survey(NamedTuple):
    """What is known of rows that can all be read."""

    rows: int = 0
    unanswered: int = 0
    first: tuple[int, int, str] | None = None
    """The first of those that answer nothing: the index of its part, its number there, and its place as messages write it."""

    def and_of(self, other: "Survey") -> "Survey":
        """Sum up what is known of some and of other rows."""
        firsts = [first for first in (self.first, other.first) if first]
        return Survey(self.rows + other.rows, self.unanswered + other.unanswered, min(firsts, default=None))


class _Share(NamedTuple):
    """Of a part's blocks of rows each so many-th, beginning with one."""

    part: int
    begin: int
    step: int

    def holds(self, position: int) -> bool:
        return position // _BLOCK_ROWS % self.step == self.begin


def survey(source: Source, is_answered: Callable[[PlacedRow], bool], what: str) -> Survey | None:
    """Look at all rows; None where one cannot be read: which is the first, and why, is found in the order of the rows."""
    looked_at = multiprocessing.Value("q", 0)

    def look(share: _Share) -> Survey | None:
        return _look(source, share, is_answered, looked_at)

    processes = worker_count() if _is_long(source) else 1
    whole = Survey()
    with (
        measured(what, None, "rows", lambda: int(looked_at.value)),
        closing(parallel_map(look, _shares(source, processes), processes, at_once=1)) as surveys,
    ):
        for found in surveys:
            if found is None:
                return None
            whole = whole.and_of(found)
    return whole


def _is_long(source: Source) -> bool:
    return sum(1 for _ in islice(source.rows(), _FEWEST_ROWS_TO_SPREAD)) == _FEWEST_ROWS_TO_SPREAD


def _shares(source: Source, processes: int) -> list[_Share]:
    """Share the parts out; where there are few of them, share each of them out."""
    few = len(source.parts) < 2 * processes
    steps = [processes if few and not part.shown.endswith(_READ_WHOLE) else 1 for part in source.parts]
    return [_Share(part, begin, step) for part, step in enumerate(steps) for begin in range(step)]


def _look(source: Source, share: _Share, is_answered: Callable[[PlacedRow], bool], looked_at: Any) -> Survey | None:
    part = source.parts[share.part]
    count, unanswered, first = 0, 0, None
    for place, values, fault in part.read(share.holds):
        count += 1
        if not count % _BLOCK_ROWS:
            with looked_at.get_lock():
                looked_at.value += _BLOCK_ROWS
        row = PlacedRow(place.within(part.shown), values, fault)
        try:
            if not is_answered(row):
                unanswered, first = unanswered + 1, first or (share.part, place.number, row.place)
        except BadRow:
            return None
    return Survey(count, unanswered, first)
