"""Models by tasks as a table that sorts by number."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas
import streamlit as st
from alignment_api.results.grids import write_score
from alignment_api.results.records import flat, score_records
from alignment_api.results.table import Cell, Measured, Table, heads, shared_count, table
from alignment_api.results.written import write_difference
from pandas.io.formats.style import Styler

from alignment_dashboard.facts.links import NAME, named, run_link
from alignment_dashboard.pieces import address
from alignment_dashboard.pieces.table_style import ROW_PIXELS, tint
from alignment_dashboard.pieces.theme import is_dark
from alignment_dashboard.text import plain

MODEL = "Model"
CELLS, SCORES, DIFFERENCES = "cells", "scores", "differences"
_LONGEST_SETTING = 80


def show_scores(
    reports: Sequence[Measured], made: Sequence[Mapping[str, Any]] | None = None, jobs: Mapping[str, str] | None = None
) -> None:
    """Show the scores of reports; beside each model how it was made, or a link to its run by the name of its job."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        every = st.toggle("All metrics", key="metrics", bind="query-params", help="Otherwise one metric of each task.")
        found = table(reports, only_main=not every)
        cells = _choose_cells(found)
        _show_download(reports)
    if not found.columns:
        st.text("The report has no scores.")
        return
    lines = [_line(found, number, made, jobs or {}) for number in range(len(found.lines))]
    st.dataframe(
        styled_scores(pandas.DataFrame(lines), found, cells == DIFFERENCES),
        height=ROW_PIXELS * (len(lines) + 1) + 3,
        row_height=ROW_PIXELS,
        hide_index=True,
        key=f"scores-{cells}",
        placeholder="–",
        alt=_describe(found),
        column_config=_configured(found, is_linked=bool(jobs)),
    )
    for sentence in found.sentences:
        st.caption(plain(sentence))


def _show_download(reports: Sequence[Measured]) -> None:
    # Written when it is clicked: a harness measures hundreds of metrics.
    write = partial(_csv, reports)
    st.download_button(
        "CSV", write, "scores.csv", "text/csv", key="scores-csv", type="tertiary", icon=":material/download:", on_click="ignore"
    )


def _csv(reports: Sequence[Measured]) -> str:
    return str(pandas.DataFrame([flat(record) for record in score_records(reports)]).to_csv(index=False))


def _choose_cells(found: Table) -> str:
    if not any(cell.difference for cell in found.cells.values()):
        return SCORES
    written = {SCORES: "Scores", DIFFERENCES: f"Differences to {plain(found.lines[found.baseline].name)}"}
    st.segmented_control(
        "Cells",
        list(written),
        required=True,
        key=address.bind_choice(CELLS, list(written), SCORES),
        on_change=address.follow,
        args=(CELLS, SCORES),
        format_func=lambda name: written[name],
        label_visibility="collapsed",
    )
    return address.choice(CELLS, list(written), SCORES)


def _line(found: Table, number: int, made: Sequence[Mapping[str, Any]] | None, jobs: Mapping[str, str]) -> dict[str, Any]:
    line = found.lines[number]
    name = named(run_link(jobs[line.job]), line.name) if line.job in jobs else line.name
    cells = [found.cells.get((number, place)) for place in range(len(found.columns))]
    values = {column.title: cell and cell.estimate.value for column, cell in zip(found.columns, cells, strict=True)}
    return {MODEL: name} | dict(made[number] if made else {}) | values


def styled_scores(frame: pandas.DataFrame, found: Table, shows_differences: bool) -> Styler:
    """Return the table with the text of each cell; it still sorts by the score behind it."""
    styled, best = frame.style.format(na_rep="–"), tint("best", is_dark())
    counted = [not shared_count(found, place) for place in range(len(found.columns))]
    styles = {name: [""] * len(frame) for name in frame.columns}
    texts: dict[int, dict[str, str]] = {}
    for (line, place), cell in found.cells.items():
        title = found.columns[place].title
        texts.setdefault(line, {})[title] = _write(cell, shows_differences, counted[place])
        styles[title][line] = best if cell.is_best else ""
    # One call for each line: pandas looks up the cells of each call anew.
    for line, of_line in texts.items():
        written = {title: _constant(text) for title, text in of_line.items()}
        styled = styled.format(written, subset=pandas.IndexSlice[[line], list(written)])
    return styled.apply(lambda _: pandas.DataFrame(styles, frame.index), axis=None)


def _constant(text: str) -> Any:
    return lambda _: text


def _write(cell: Cell, shows_differences: bool, with_count: bool) -> str:
    if shows_differences and cell.difference:
        return write_difference(cell.difference.estimate)
    return write_score(cell, with_count)


def _configured(found: Table, is_linked: bool) -> dict[str, Any]:
    config = st.column_config
    model = config.LinkColumn(pinned=True, display_text=NAME) if is_linked else config.TextColumn(pinned=True)
    titles = zip(found.columns, heads(found), strict=True)
    return {MODEL: model} | {
        column.title: config.NumberColumn(head, help=plain(_settings(column.task.settings))) for column, head in titles
    }


def _settings(settings: Mapping[str, Any]) -> str:
    texts = (f"{name}: {str(value)[:_LONGEST_SETTING]}" for name, value in settings.items() if value is not None)
    return "; ".join(texts) or "no settings"


def _describe(found: Table) -> str:
    """Write all cells for readers who cannot see them."""
    parts = []
    for number, line in enumerate(found.lines):
        cells = [(column.title, found.cells.get((number, place))) for place, column in enumerate(found.columns)]
        parts.append(f"{line.name}: " + ", ".join(f"{title} {write_score(cell, True)}" for title, cell in cells if cell))
    return f"Scores. {'; '.join(parts)}."
