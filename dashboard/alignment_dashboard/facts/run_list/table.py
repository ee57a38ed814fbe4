"""The list of runs as a typed table: what the browser gets, and the same with full precision as CSV."""

from collections.abc import Callable, Mapping, Sequence

import pandas

from alignment_dashboard.facts.links import compare_link, named, run_link
from alignment_dashboard.facts.run_list.columns import CURVE, RUN, STATUS, Column, is_nan, value_of
from alignment_dashboard.facts.run_list.grouping import Group
from alignment_dashboard.facts.run_list.row import Row
from alignment_dashboard.facts.status import BADGES
from alignment_dashboard.units import is_number

_DTYPES = {"percent": "Int64", "number": "float64", "moment": "datetime64[ms, UTC]"}


def frame(rows: Sequence[Row], columns: Sequence[Column], curves: Mapping[str, list[float]]) -> pandas.DataFrame:
    """Return one line per run and one typed column per column; a name is a link to the page of its run."""
    drawn: dict[str, Callable[[Row], object]] = {
        RUN: lambda row: named(run_link(row.identity), row.name),
        STATUS: lambda row: [BADGES[row.phase].label],
        CURVE: lambda row: curves.get(row.identity),
    }
    return _frame(columns, lambda name: [drawn[name](row) if name in drawn else value_of(row, name) for row in rows])


def group_frame(groups: Sequence[Group], columns: Sequence[Column]) -> pandas.DataFrame:
    """Return one line per configuration; its name is a link to the comparison of its runs."""
    return _frame(
        columns,
        lambda name: [
            named(compare_link([row.identity for row in group.rows]), _call(group)) if name == RUN else group.value(name)
            for group in groups
        ],
    )


def csv(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Return what is shown, without the curves, with the id of each run and every digit of every number."""
    written = [column for column in columns if column.name != CURVE]
    table = _frame(written, lambda name: [value_of(row, name) for row in rows])
    for name in (column.name for column in written if column.kind == "number"):
        # pandas writes NaN as an empty cell, like a value that was never measured.
        table[name] = table[name].astype(object).mask([is_nan(value_of(row, name)) for row in rows], "NaN")
    table.insert(1, "id", [row.identity for row in rows])
    return str(table.to_csv(index=False))


def group_csv(groups: Sequence[Group], columns: Sequence[Column]) -> str:
    """Return the groups with the names of their runs."""
    names = ["; ".join(row.name for row in group.rows) for group in groups]
    return str(
        _frame(columns, lambda name: names if name == RUN else [group.value(name) for group in groups]).to_csv(index=False)
    )


def are_numbers(values: Sequence[object]) -> bool:
    """Return whether all known values of a column are numbers."""
    known = [value for value in values if value is not None]
    return bool(known) and all(map(is_number, known))


def _call(group: Group) -> str:
    first, others = group.rows[0].name, len(group.rows) - 1
    return f"{first} and {others} more" if others else first


def _frame(columns: Sequence[Column], values_of: Callable[[str], Sequence[object]]) -> pandas.DataFrame:
    return pandas.DataFrame({column.name: _typed(column, values_of(column.name)) for column in columns})


def _typed(column: Column, values: Sequence[object]) -> pandas.Series:
    if column.kind in _DTYPES:
        return pandas.Series(values, dtype=_DTYPES[column.kind])
    if column.kind == "text" and not are_numbers(values):
        return pandas.Series([None if value is None else str(value) for value in values], dtype="string")
    return pandas.Series(values, dtype="float64" if are_numbers(values) else "object")
