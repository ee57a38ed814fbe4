"""The final table as texts for its cells, and as rows with every number for a CSV file."""

import math
from collections.abc import Mapping
from typing import Any

from alignment_api.resolving.parameters import SEED

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.finals import Cell, Column, Row, Table
from alignment_dashboard.facts.comparison.verdict import STAR
from alignment_dashboard.facts.configuration import parameters, varying
from alignment_dashboard.units import write_number


def write_cell(column: Column, cell: Cell) -> str:
    """Write a cell: ★ if it is the best, the mean with its standard error, and for last values the difference to the baseline."""
    if cell.spread is None:
        return "–"
    if column.is_count and math.isfinite(cell.spread.mean):
        mean, delta = f"{cell.spread.mean:,.0f}", f"{cell.delta or 0:+,.0f}".replace("-", "−")
    else:
        mean, delta = cell.spread.write(), _write_delta(cell.delta or 0, cell.spread.mean)
    difference = "" if not cell.delta or column.is_best else f"  ({delta})"
    return f"{f'{STAR} ' if cell.wins else ''}{mean}{difference}"


def parameters_of(table: Table) -> list[str]:
    """Return the parameters that differ among the rows; not the seed, where a row stands for several."""
    differing = varying([job for row in table.rows for job in row.jobs])
    return [name for name in differing if name != SEED or all(len(row.jobs) == 1 for row in table.rows)]


def exported(table: Table, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row with every number of each run; for a mean also how many runs, their deviation and the standard error."""
    return [_exported(row, table, names) for row in table.rows]


def _exported(row: Row, table: Table, names: Mapping[str, str]) -> dict[str, Any]:
    known = parameters(row.jobs[0])
    found: dict[str, Any] = {"run": ", ".join(names[identify(job)] for job in row.jobs)}
    found |= {name: known.get(name) for name in parameters_of(table)}
    for column, cell in zip(table.columns, row.cells, strict=True):
        found[column.title] = cell.spread.mean if cell.spread else None
        found[f"{column.title} - baseline"] = cell.delta
        if any(len(other.jobs) > 1 for other in table.rows):
            spread = cell.spread
            found |= {f"{column.title} n": spread.size if spread else 0}
            found |= {f"{column.title} sd": spread.deviation if spread else None}
            found |= {f"{column.title} se": spread.error if spread else None}
    return found


def _write_delta(delta: float, value: float) -> str:
    """Write a difference with as many decimals as the value has."""
    if not math.isfinite(delta):
        return write_number(delta)
    decimals = 3 - math.floor(math.log10(abs(value))) if value else 4
    return f"{delta:+.{min(max(decimals, 0), 9)}f}".replace("-", "−")
