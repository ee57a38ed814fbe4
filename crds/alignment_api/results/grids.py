"""The tables as texts: a head and lines of cells, for terminals and markdown."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.results.proofs import HEADS, Exported, proof_lines
from alignment_api.results.table import STAR, Cell, Table, directed_heads, heads, shared_count
from alignment_api.results.written import MISSING, write_count, write_difference, write_estimate


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
