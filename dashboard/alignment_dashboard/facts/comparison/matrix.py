"""A metric over two parameters: each cell is the mean of the runs that have both values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from alignment_api.resolving.parameters import SEED, Value
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.spread import Spread, spread_of
from alignment_dashboard.facts.configuration import parameters, varying
from alignment_dashboard.units import write_value

NOT_RUN, NOT_SET = "not run", "not set"


class Matrix(NamedTuple):
    """The values of two parameters, and what was measured where both meet."""

    across: str
    down: str | None
    """None if only one parameter varies: the matrix then has one line."""
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    cells: Mapping[tuple[int, int], Spread]
    """By column and line; a cell that is missing was not run."""
    mixed: tuple[str, ...]
    """The other parameters that vary: a cell is the mean over their values too."""


def axes(jobs: Sequence[AlignmentJob]) -> list[str]:
    """Return the parameters that can be an axis: those that vary, the seed last since cells are means over it."""
    return sorted(varying(jobs), key=lambda name: name == SEED)


def matrix(jobs: Sequence[AlignmentJob], values: Mapping[str, float], across: str, down: str | None) -> Matrix:
    """Return the matrix of one number of each run, by the identities of the runs."""
    known = {identify(job): parameters(job) for job in jobs}
    columns = _sorted(run.get(across) for run in known.values())
    lines: list[Value | None] = _sorted(run.get(down) for run in known.values()) if down else [None]
    gathered: dict[tuple[int, int], list[float]] = {}
    for identity, run in known.items():
        if identity in values:
            place = columns.index(run.get(across)), lines.index(run.get(down)) if down else 0
            gathered.setdefault(place, []).append(values[identity])
    cells = {place: spread for place, found in gathered.items() if (spread := spread_of(found))}
    mixed = tuple(name for name in varying(jobs) if name not in (across, down, SEED))
    return Matrix(across, down, tuple(map(_write, columns)), tuple(map(_write, lines)) if down else ("",), cells, mixed)


def describe(matrix: Matrix, metric: str) -> str:
    """Write all cells of a matrix for readers who cannot see it."""
    parts = []
    for line, down in enumerate(matrix.lines):
        for column, across in enumerate(matrix.columns):
            spread = matrix.cells.get((column, line))
            where = f"{matrix.across} {across}" + (f", {matrix.down} {down}" if matrix.down else "")
            parts.append(f"{where}: {f'{spread.write()} (n {spread.size})' if spread else NOT_RUN}")
    return f"{metric} by {matrix.across}{f' and {matrix.down}' if matrix.down else ''}. {'; '.join(parts)}."


def rows_of(matrix: Matrix, metric: str) -> list[dict[str, object]]:
    """Return one row for each cell, also for those that were not run."""
    rows: list[dict[str, object]] = []
    for line, down in enumerate(matrix.lines):
        for column, across in enumerate(matrix.columns):
            spread = matrix.cells.get((column, line))
            measured = (spread.mean, spread.size, spread.deviation, spread.error) if spread else (None, 0, None, None)
            where = {matrix.across: across} | ({matrix.down: down} if matrix.down else {})
            rows.append({**where} | dict(zip((metric, "n", "sd", "se"), measured, strict=True)))
    return rows


def _sorted(values: Iterable[Value | None]) -> list[Value | None]:
    """Return each value once: numbers before texts, and last the runs without a value."""
    return sorted(set(values), key=lambda value: (value is None, isinstance(value, str), value or 0))


def _write(value: Value | None) -> str:
    return NOT_SET if value is None else write_value(value)
