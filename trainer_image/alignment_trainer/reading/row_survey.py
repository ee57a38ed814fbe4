"""Checks every row of a source in several processes: whether it can be read, and whether it will be left out."""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from alignment_trainer.process.parallel import parallel_map, worker_count
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.sources import PlacedRow, Source
from alignment_trainer.workspace.activity import measured

_FEWEST_ROWS_TO_SPREAD = 5000
_BLOCK_ROWS = 256
_READ_WHOLE = (".json", ".csv")
"""Formats in which finding one row means parsing all rows before it, so several readers would repeat the same work."""


class Seen(NamedTuple):
    """What a check sees of one row that can be read."""

    why_unused: str | None = None
    """Why the stage leaves the row out; None if it uses it."""
    form: str | None = None
    unread: tuple[str, ...] = ()


class Unused(NamedTuple):
    """The rows that are left out for one reason."""

    rows: int
    first: tuple[int, int, str]
    """The first of them: the index of its part, its number there, and its place as messages show it."""


class Survey(NamedTuple):
    """The result for rows that can all be read."""

    rows: int = 0
    unused: dict[str, Unused] = {}
    """The rows that are left out, by reason."""
    forms: Counter[str] = Counter()
    """How many rows have which form."""
    unread: frozenset[str] = frozenset()
    """The columns that are not read."""

    def plus(self, other: "Survey") -> "Survey":
        """Return the result for these and other rows together."""
        both = {
            reason: Unused(sum(one.rows for one in found), min(one.first for one in found))
            for reason in {**self.unused, **other.unused}
            if (found := [survey.unused[reason] for survey in (self, other) if reason in survey.unused])
        }
        return Survey(self.rows + other.rows, both, self.forms + other.forms, self.unread | other.unread)


class _Share(NamedTuple):
    """Every `step`-th block of a part's rows, starting with block `begin`."""

    part: int
    begin: int
    step: int

    def contains(self, position: int) -> bool:
        return position // _BLOCK_ROWS % self.step == self.begin


def survey(source: Source, see: Callable[[PlacedRow], Seen], what: str) -> Survey | None:
    """Check all rows; None if one cannot be read, since the caller finds the first fault by reading in order."""
    checked = multiprocessing.Value("q", 0)

    def check(share: _Share) -> Survey | None:
        return _check(source, share, see, checked)

    processes = worker_count() if _is_long(source) else 1
    whole = Survey()
    with (
        measured(what, None, "rows", lambda: int(checked.value)),
        closing(parallel_map(check, _shares(source, processes), processes, at_once=1)) as surveys,
    ):
        for found in surveys:
            if found is None:
                return None
            whole = whole.plus(found)
    return whole


def _is_long(source: Source) -> bool:
    return sum(1 for _ in islice(source.rows(), _FEWEST_ROWS_TO_SPREAD)) == _FEWEST_ROWS_TO_SPREAD


def _shares(source: Source, processes: int) -> list[_Share]:
    """Return one share per part, or several if there are few parts."""
    few = len(source.parts) < 2 * processes
    steps = [processes if few and not part.shown.endswith(_READ_WHOLE) else 1 for part in source.parts]
    return [_Share(part, begin, step) for part, step in enumerate(steps) for begin in range(step)]


def _check(source: Source, share: _Share, see: Callable[[PlacedRow], Seen], checked: Any) -> Survey | None:
    part = source.parts[share.part]
    count, unused = 0, Survey()
    forms: Counter[str] = Counter()
    unread: set[str] = set()
    for place, values, fault in part.read(share.contains):
        count += 1
        if not count % _BLOCK_ROWS:
            with checked.get_lock():
                checked.value += _BLOCK_ROWS
        row = PlacedRow(place.within(part.shown), values, fault)
        try:
            seen = see(row)
        except BadRow:
            return None
        if seen.form:
            forms[seen.form] += 1
        unread.update(seen.unread)
        if seen.why_unused:
            unused = unused.plus(Survey(0, {seen.why_unused: Unused(1, (share.part, place.number, row.place))}))
    return Survey(count, unused.unused, forms, frozenset(unread))
