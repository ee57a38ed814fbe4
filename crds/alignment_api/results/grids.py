"""The tables as texts: a head and lines of cells, for terminals and markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.results.proofs import HEADS, Exported, proof_lines
from alignment_api.results.table import STAR, Cell, Table, directed_heads, heads, shared_count
from alignment_api.results.written import MISSING, write_count, write_difference, write_estimate

_UNBROKEN = 24
"""Characters of a difference with its interval; what is longer is broken between words."""
_BETWEEN = 3
"""A line and two spaces."""


class Grid(NamedTuple):
    """A table of texts; each line has as many cells as there are heads."""

    title: str
    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def grids(found: Table, exports: Sequence[Exported]) -> list[Grid]:
    """Return the tables that have something to say: scores, differences to one model, exports before and after."""
    known = [_scores(found)] if found.columns else []
    if any(cell.difference for cell in found.cells.values()):
        known.append(_differences(found))
    return known + ([_exports(exports)] if exports else [])


def parts(grid: Grid, width: int) -> list[Grid]:
    """Return the table in as many parts as a width of so many characters needs; each begins with the first column."""
    needed = [_needed(grid, place) for place in range(len(grid.heads))]
    groups: list[list[int]] = []
    for place in range(1, len(needed)):
        if not groups or 1 + needed[0] + sum(needed[one] for one in (*groups[-1], place)) > width:
            groups.append([])
        groups[-1].append(place)
    if len(groups) < 2:
        return [grid]
    return [_part(grid, f"{grid.title} ({number} of {len(groups)})", [0, *group]) for number, group in enumerate(groups, 1)]


def _needed(grid: Grid, place: int) -> int:
    """Return the width of a column in which no number is broken, with what stands between two columns."""
    words = max(map(len, grid.heads[place].split()), default=0)
    return _BETWEEN + max([words, *(min(len(line[place]), _UNBROKEN) for line in grid.lines)])


def _part(grid: Grid, title: str, places: Sequence[int]) -> Grid:
    heads, *lines = (tuple(line[place] for place in places) for line in (grid.heads, *grid.lines))
    return Grid(title, heads, tuple(lines))


def write_score(cell: Cell, with_count: bool) -> str:
    """Write a score: ★ if it is the best, its standard error, and on how many prompts it rests if the head does not say it."""
    count = f" ({write_count(cell.estimate)})" if with_count else ""
    return f"{STAR} " * cell.is_best + write_estimate(cell.estimate) + count


def _scores(found: Table) -> Grid:
    counted = [not shared_count(found, place) for place in range(len(found.columns))]
    lines = [
        tuple(
            write_score(found.cells[line, place], counted[place]) if (line, place) in found.cells else MISSING
            for place in range(len(found.columns))
        )
        for line in range(len(found.lines))
    ]
    return Grid("scores", ("model", *heads(found)), _named(found, lines))


def _differences(found: Table) -> Grid:
    lines = [
        tuple(_write_difference(found.cells.get((line, place))) for place in range(len(found.columns)))
        for line in range(len(found.lines))
    ]
    others = [named for place, named in enumerate(_named(found, lines)) if place != found.baseline]
    return Grid(f"difference to {found.lines[found.baseline].name}", ("model", *directed_heads(found)), tuple(others))


def _exports(exports: Sequence[Exported]) -> Grid:
    """Return the exports as columns: there are few of them, and much to say about each."""
    head, *lines = zip(HEADS, *proof_lines(exports), strict=True)
    return Grid("exports", head, tuple(lines))


def _write_difference(cell: Cell | None) -> str:
    return write_difference(cell.difference.estimate) if cell and cell.difference else MISSING


def _named(found: Table, lines: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple((line.name, *cells) for line, cells in zip(found.lines, lines, strict=True))
