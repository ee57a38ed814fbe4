"""A table of runs in which rows are chosen: the choice stays on its runs, whatever row they move to."""

from collections.abc import Sequence
from typing import Any

import pandas
import streamlit as st

from alignment_dashboard.facts.links import NAME, jobs_in
from alignment_dashboard.facts.run_list.columns import Column, number_format
from alignment_dashboard.facts.status import BADGES
from alignment_dashboard.pieces import address

KEY = "runs-table"
CHOSEN, _LINES, _SHOWN, _ASSERTED = "runs-chosen", "runs-lines", "runs-shown", "runs-asserted"
TICKED, MOST_NAMED = "ticked", 100
"""The parameter of the address with the chosen runs, and how many it names: a proxy refuses an address of many kilobytes."""

ROW_PIXELS, HEADER_PIXELS = 28, 34
_WIDTHS = {"link": 150, "status": 108, "percent": 84, "moment": 105, "curve": 90}


def show_table(
    table: pandas.DataFrame, columns: Sequence[Column], lines: Sequence[tuple[str, ...]], shown: object, height: int
) -> bool:
    """Show a table, each line of which stands for one or more runs; return whether it has to be shown once more.

    `shown` is what the table was made of: the choice is sent again only when it or the choice has changed.
    """
    again = _place(lines, shown)
    st.session_state[_LINES] = list(lines)
    st.dataframe(
        table,
        key=KEY,
        on_select=_choose,
        selection_mode="multi-row",
        height=height,
        row_height=ROW_PIXELS,
        hide_index=True,
        placeholder="–",
        column_config={column.name: _configured(column, table[column.name]) for column in columns},
        alt="Runs, one per row; the download beside the search has the same as CSV",
    )
    return again


def chosen() -> list[str]:
    """Return the identities of the chosen runs, in the order in which they were chosen; the address decides which they are."""
    named, known = jobs_in(st.query_params.get(TICKED)), st.session_state.get(CHOSEN, [])
    return list(known) if named == known[:MOST_NAMED] else named


def choose(identities: Sequence[str]) -> None:
    """Choose these runs, and no others."""
    st.session_state[CHOSEN] = list(identities)
    address.write(TICKED, ",".join(identities[:MOST_NAMED]))


def _choose() -> None:
    lines = st.session_state.get(_LINES, [])
    visible = {identity for line in lines for identity in line}
    picked = [identity for row in _selected_rows() if row < len(lines) for identity in lines[row]]
    before = chosen()
    kept = [identity for identity in before if identity not in visible or identity in picked]
    choose([*kept, *(identity for identity in picked if identity not in kept)])


def _selected_rows() -> list[int]:
    """Return the row numbers that the browser keeps; a page that was interrupted leaves them as the dict that was assigned."""
    return list(st.session_state[KEY]["selection"]["rows"]) if KEY in st.session_state else []


def _place(lines: Sequence[tuple[str, ...]], shown: object) -> bool:
    """Send the browser which rows are chosen, if they may have moved.

    The browser keeps row numbers, not runs. It takes the same row numbers only once, so the second time in a row the table is
    shown without them, and then again with them.
    """
    picked = set(chosen())
    wanted = [number for number, line in enumerate(lines) if picked.issuperset(line)]
    there = _selected_rows()
    moved = st.session_state.get(_SHOWN) != shown or sorted(there) != wanted
    asserted, st.session_state[_ASSERTED] = st.session_state.get(_ASSERTED), None
    if not moved or not (wanted or there):
        st.session_state[_SHOWN] = shown
        return False
    if asserted == wanted:
        return True
    st.session_state[KEY] = {"selection": {"rows": wanted}}
    st.session_state[_ASSERTED], st.session_state[_SHOWN] = wanted, shown
    return False


def _configured(column: Column, values: "pandas.Series[Any]") -> Any:
    config, width = st.column_config, _WIDTHS.get(column.kind)
    if column.kind == "link":
        return config.LinkColumn(column.label, display_text=NAME, width=width, pinned=True, help=column.help)
    if column.kind == "status":
        badges = BADGES.values()
        return config.MultiselectColumn(
            column.label, options=[badge.label for badge in badges], color=[badge.colour for badge in badges], width=width
        )
    if column.kind == "percent":
        return config.ProgressColumn(column.label, min_value=0, max_value=100, format="%d%%", width=width, help=column.help)
    if column.kind == "moment":
        return config.DatetimeColumn(column.label, format="distance", width=width, help=column.help)
    if column.kind == "curve":
        return config.LineChartColumn(column.label, width=width, help=column.help)
    if pandas.api.types.is_numeric_dtype(values):
        return config.NumberColumn(column.label, format=number_format(column.name, list(values.dropna())), help=column.help)
    return config.TextColumn(column.label, help=column.help)
