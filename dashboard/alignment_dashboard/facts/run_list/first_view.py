"""The list of runs as plain HTML, which a reader sees while the browser still loads the scripts that draw the page itself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from math import isfinite
from typing import NamedTuple
from urllib.parse import urlencode

from alignment_dashboard.data.listing import Listing
from alignment_dashboard.facts.links import run_link, some_of
from alignment_dashboard.facts.run_list import attention_lines, chips, columns
from alignment_dashboard.facts.run_list.columns import PLAIN, Column, is_nan, number_format, value_of
from alignment_dashboard.facts.run_list.overview import Overview
from alignment_dashboard.facts.run_list.row import Row
from alignment_dashboard.facts.run_list.selection import COLUMNS, GROUP, SHOW, Selection, select
from alignment_dashboard.facts.run_list.table import are_numbers
from alignment_dashboard.facts.status import BADGES
from alignment_dashboard.keeper import Known
from alignment_dashboard.text import counted, visible
from alignment_dashboard.units import short_exponent, write_age, write_duration, write_value

ROWS = 25
"""As many as the table of the page shows at once."""

OLD = timedelta(seconds=30)
"""Rows that were read before may say what is long over, and this view is never brought up to date."""

CURVE_WIDTH, CURVE_HEIGHT = 74, 20
_UNKNOWN = "<i>–</i>"


class Cells(NamedTuple):
    """The class of a column's cells, and how each is written."""

    style: str
    write: Callable[[Row], str]


def first_view(listing: Listing, known: Known[Overview], asked: Mapping[str, str], now: datetime) -> str:
    """Return the list that an address asks for; nothing if there is more to say than a list of runs."""
    says_more = known.problem or known.value.unread or listing.failures or listing.problems
    if says_more or asked.get(GROUP) or now - known.as_of > OLD:
        return ""
    overview, selection = known.value, select(known.value, asked)
    if selection.problems or not selection.rows:
        return ""
    rows, shown = selection.rows, _columns(selection, asked)
    number = counted(len(rows), "run")
    return (
        f'<div id="first-view"><header><h1>Runs</h1>{_chips(overview, asked)}</header>'
        f"<ul>{_attention(overview)}</ul>"
        f'<p data-late="{number} as of {known.as_of:%H:%M} UTC; the page does not reach the dashboard, reload it">'
        f"{number}; search and choice are loading</p>"
        f"<div><table>{_table(rows, shown, overview.curves, now)}</table></div></div>"
    )


def _columns(selection: Selection, asked: Mapping[str, str]) -> list[Column]:
    automatic = columns.automatic(selection.rows, selection.varied)
    chosen = some_of(asked, COLUMNS, [*automatic, *columns.available(selection.rows)], automatic)
    names = list(dict.fromkeys([columns.RUN, *chosen]))
    return [columns.column(name, names) for name in names]


def _chips(overview: Overview, asked: Mapping[str, str]) -> str:
    counts, chosen = chips.count(overview.rows, overview.attention), asked.get(SHOW)
    others = {name: value for name, value in asked.items() if name != SHOW}
    return "".join(
        f'<a href="?{escape(urlencode(others if name == chosen else {**others, SHOW: name}))}"'
        f' class="{"chosen" * (name == chosen)}">'
        f'<span class="{badge.colour}">{badge.sign}</span> <b>{counts[name]}</b> {badge.word}</a>'
        for name, badge in chips.CHIPS.items()
    )


def _attention(overview: Overview) -> str:
    return "".join(
        f'<li><a href="{escape(run_link(line.identity))}"><span class="{line.colour}">{line.sign}</span> '
        f"<b>{_text(line.name)}</b></a>{_text(line.text)}</li>"
        for line in attention_lines.lines(overview.rows, overview.attention)
    )


def _table(rows: Sequence[Row], shown: Sequence[Column], curves: Mapping[str, Sequence[float]], now: datetime) -> str:
    cells = [_cells(column, rows, curves, now) for column in shown]
    titles = "".join(f'<th class="{style}">{_text(column.label)}</th>' for column, (style, _) in zip(shown, cells, strict=True))
    lines = ("".join(f'<td class="{style}">{write(row)}</td>' for style, write in cells) for row in rows[:ROWS])
    return f"<thead><tr>{titles}</tr></thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody>"


def _cells(column: Column, rows: Sequence[Row], curves: Mapping[str, Sequence[float]], now: datetime) -> Cells:
    values = [value_of(row, column.name) for row in rows] if column.kind in ("number", "text") else []
    if are_numbers(values):
        form = number_format(column.name, [value for value in values if isinstance(value, int | float) and not is_nan(value)])
        return Cells("number", lambda row: _number(form, value_of(row, column.name)))
    written: dict[str, Callable[[Row], str]] = {
        "link": lambda row: f'<a href="{escape(run_link(row.identity))}">{_text(row.name)}</a>',
        "status": lambda row: f'<span class="{BADGES[row.phase].colour}">{BADGES[row.phase].label}</span>',
        "percent": lambda row: _percent(row.percent),
        "moment": lambda row: _moment(value_of(row, column.name), now),
        "curve": lambda row: _curve(curves.get(row.identity) or ()),
    }
    return Cells(column.kind, written.get(column.kind, lambda row: _optional(value_of(row, column.name))))


def _text(text: str) -> str:
    return escape(visible(text))


def _optional(value: object) -> str:
    return _UNKNOWN if value is None else _text(str(value))


def _number(form: str, value: object) -> str:
    if value is None or is_nan(value):
        return _UNKNOWN
    # The table writes six digits without an exponent.
    return write_value(float(form % value)) if form == PLAIN else short_exponent(form % value)


def _percent(percent: int | None) -> str:
    return _UNKNOWN if percent is None else f'<progress max="100" value="{percent}"></progress> {percent}%'


def _moment(moment: object, now: datetime) -> str:
    if not isinstance(moment, datetime):
        return _UNKNOWN
    ahead = (moment - now).total_seconds()
    return f"in {write_duration(ahead)}" if ahead > 0 else write_age(moment, now)


def _curve(values: Sequence[float]) -> str:
    """Draw the finite values of a curve from the left to the right."""
    points = [(place, value) for place, value in enumerate(values) if isfinite(value)]
    if len(points) < 2:
        return ""
    lowest, highest = min(value for _, value in points), max(value for _, value in points)
    across, up = CURVE_WIDTH / (len(values) - 1), CURVE_HEIGHT / ((highest - lowest) or 1)
    line = " ".join(f"{place * across:.1f},{(highest - value) * up:.1f}" for place, value in points)
    return f'<svg width="{CURVE_WIDTH}" height="{CURVE_HEIGHT}"><polyline points="{line}"/></svg>'
