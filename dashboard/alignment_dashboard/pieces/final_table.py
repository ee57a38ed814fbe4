"""The last and best values of runs, as a table that sorts by number."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas
import streamlit as st
from alignment_api.spec.job import AlignmentJob
from pandas.io.formats.style import Styler

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.comparison.final_texts import exported, parameters_of, write_cell
from alignment_dashboard.facts.comparison.finals import Cell, Column, Row, Table, same_but_seed
from alignment_dashboard.facts.configuration import parameters
from alignment_dashboard.facts.links import NAME, named, run_link
from alignment_dashboard.pieces.table_style import ROW_PIXELS, line_colour, line_text, tint
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.units import write_value

EACH, MEANS = "each run", "mean over seeds"


def choose_rows(jobs: Sequence[AlignmentJob]) -> bool:
    """Ask whether runs that differ in nothing but their seeds become one row, where there are such runs."""
    if len(same_but_seed(jobs)) == len(jobs):
        return False
    choice = st.segmented_control(
        "Rows", [EACH, MEANS], default=EACH, required=True, key="rows", bind="query-params", label_visibility="collapsed"
    )
    return choice == MEANS


def download_finals(table: Table, names: Mapping[str, str]) -> None:
    """Offer every number of the table as CSV."""
    text = pandas.DataFrame(exported(table, names)).to_csv(index=False)
    st.download_button("CSV", text, "results.csv", "text/csv", key="results-csv", type="tertiary", icon=":material/download:")


def show_finals(table: Table, names: Mapping[str, str], looks: Mapping[str, Look]) -> None:
    """Show the table: in each cell ★ for the best, the number, ± its standard error, and the difference to the baseline."""
    shown = parameters_of(table)
    frame = pandas.DataFrame([_line(row, table, names, looks, shown) for row in table.rows])
    numbers = {column.title: st.column_config.NumberColumn(help=_help(column.title)) for column in table.columns}
    st.dataframe(
        _styled(frame, table, looks, shown),
        height=ROW_PIXELS * (len(table.rows) + 1) + 3,
        row_height=ROW_PIXELS,
        hide_index=True,
        key="results",
        placeholder="–",
        alt=_describe(table, names),
        column_config=numbers
        | {
            "line": st.column_config.TextColumn("", pinned=True, width=50),
            "Run": st.column_config.LinkColumn(pinned=True, display_text=NAME)
            if all(len(row.jobs) == 1 for row in table.rows)
            else st.column_config.TextColumn(pinned=True),
        },
    )


def _line(row: Row, table: Table, names: Mapping[str, str], looks: Mapping[str, Look], shown: Sequence[str]) -> dict[str, Any]:
    identity, known = identify(row.jobs[0]), parameters(row.jobs[0])
    name = ", ".join(names[identify(job)] for job in row.jobs)
    values = {column.title: _sortable(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)}
    link = named(run_link(identity), name) if len(row.jobs) == 1 else name
    return {"line": line_text(looks[identity]), "Run": link} | {key: known.get(key) for key in shown} | values


def _sortable(column: Column, cell: Cell) -> float | None:
    """Return the number that a cell sorts by: NaN is worse than everything, and would be shown as if it were missing."""
    if cell.spread is None or not math.isnan(cell.spread.mean):
        return cell.spread.mean if cell.spread else None
    return -math.inf if column.better is max else math.inf


def _styled(frame: pandas.DataFrame, table: Table, looks: Mapping[str, Look], shown: Sequence[str]) -> Styler:
    """Return the table with the text of each cell; it still sorts by the number behind it."""
    dark, texts = is_dark(), dict[str, Callable[[Any], Any]]()
    styles = pandas.DataFrame("", frame.index, frame.columns)
    styles["line"] = [line_colour(looks[identify(row.jobs[0])], dark) for row in table.rows]
    for index, column in enumerate(table.columns):
        cells = [row.cells[index] for row in table.rows]
        texts[column.title] = {_sortable(column, cell): write_cell(column, cell) for cell in cells}.get
        styles[column.title] = [tint("best", dark) if cell.wins else "" for cell in cells]
    for name in shown:
        texts[name] = write_value
    return frame.style.format(texts, na_rep="–").apply(lambda _: styles, axis=None)


def _help(title: str) -> str:
    kind = "The best of all evaluations" if title.startswith("Best") else "The last value"
    return f"{kind}; in brackets the difference to the baseline, ★ marks the best run, ± is the standard error over seeds."


def _describe(table: Table, names: Mapping[str, str]) -> str:
    lines = []
    for row in table.rows:
        values = [f"{column.title} {write_cell(column, cell)}" for column, cell in zip(table.columns, row.cells, strict=True)]
        lines.append(f"{', '.join(names[identify(job)] for job in row.jobs)}: {', '.join(values)}")
    return f"Results. {'; '.join(lines)}."
