"""The first page: which runs there are, which of them need attention, and what differs among them."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Failure, Guidance, Listing
from alignment_dashboard.facts.comparison.choice import MOST
from alignment_dashboard.facts.run_list import attention_lines, chips, columns, query
from alignment_dashboard.facts.run_list.attention_lines import Line
from alignment_dashboard.facts.run_list.grouping import SEEDS, group
from alignment_dashboard.facts.run_list.order import Arranged, arrange
from alignment_dashboard.facts.run_list.overview import Overview, Unread
from alignment_dashboard.facts.run_list.row import Row
from alignment_dashboard.facts.run_list.selection import COLUMNS, GROUP, SEARCH, SHOW, SORT, Selection, select
from alignment_dashboard.facts.run_list.table import csv, frame, group_csv, group_frame
from alignment_dashboard.pieces import address
from alignment_dashboard.pieces.clock import write_clock
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.pieces.run_table import HEADER_PIXELS, ROW_PIXELS, choose, chosen, show_table
from alignment_dashboard.text import counted, plain

REFRESH_SECONDS = 2
# A long list is sent again less often: 1,000 rows at most every 10 seconds.
ROWS_PER_SECOND = 100
# Room for attention lines and table at 1440 x 900.
ROOM_PIXELS = 700
LINE_PIXELS, NAME_PIXELS = 30, 160
# The same without a choice, so that the table stays where it is at the first tick.
CHOICE_PIXELS = 40
ORDER, DRAWN, DRAWN_AT, LIST_ADDRESS = "runs-order", "runs-drawn", "runs-drawn-at", "runs-address"


class Moment(NamedTuple):
    """All that the page says; it is drawn again only when this has changed."""

    overview: Overview
    problem: str | None
    """Why the overview may be old."""
    failures: tuple[Failure, ...]
    problems: tuple[str, ...]
    answered: bool


def show() -> None:
    """Draw the page."""
    _return_to_the_list()
    moment = _moment(cache.listing())
    st.session_state[DRAWN], st.session_state[DRAWN_AT] = moment, time.monotonic()
    show_failures(moment.failures)
    for problem in moment.problems:
        show_notice("Unreadable", "orange", problem)
    if moment.problem:
        show_notice("Runs", "orange", moment.problem)
    if moment.overview.unread:
        _show_unread(moment.overview.unread)
    if moment.overview.rows:
        _show_runs(moment)
    elif not moment.problem:
        _show_nothing(cache.listing())
    st.fragment(_watch, run_every=REFRESH_SECONDS)()


def _return_to_the_list() -> None:
    """After Back, Streamlit first shows this page with the address of the page that was left; show the list as it was instead."""
    if {"job", "jobs"} & st.query_params.keys():
        st.query_params.from_dict(st.session_state.get(LIST_ADDRESS, {}))
    st.session_state[LIST_ADDRESS] = st.query_params.to_dict()


def _moment(listing: Listing) -> Moment:
    known = cache.overview()
    return Moment(known.value, known.problem, listing.failures, listing.problems, listing.answered)


def _watch() -> None:
    moment = _moment(cache.listing())
    pause = len(moment.overview.rows) / ROWS_PER_SECOND
    if moment != st.session_state.get(DRAWN) and time.monotonic() - st.session_state[DRAWN_AT] >= pause:
        st.rerun()


def _show_unread(unread: Unread) -> None:
    age = f" What is measured is shown as of {write_clock(unread.as_of)}." if unread.as_of else ""
    show_notice("MLflow", "orange", unread.problem + age)


def _show_nothing(listing: Listing) -> None:
    if listing.complete:
        _show_first_steps(listing.guidance)
    elif not listing.failures:
        st.text("Reading the runs …")


def _show_first_steps(guidance: Guidance) -> None:
    st.title(guidance.empty, anchor=False)
    st.text(guidance.explanation)
    st.code(guidance.command, language="shell")
    st.text(guidance.elsewhere)


def _show_runs(moment: Moment) -> None:
    rows, needing = moment.overview.rows, moment.overview.attention
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.title("Runs", anchor=False, width="content")
        _show_chips(chips.count(rows, needing))
        st.space("stretch")
        _show_search()
        tools = st.container(horizontal=True, gap="xsmall", width="content")
    lines = attention_lines.lines(rows, needing)
    _show_attention(lines)
    selection = select(moment.overview, st.query_params)
    for problem in selection.problems:
        st.text(problem)
    asked = (st.query_params.get(SHOW), st.query_params.get(SEARCH), selection.by)
    arranged = arrange(selection.rows, asked, st.session_state.get(ORDER))
    st.session_state[ORDER] = arranged.order
    if not arranged.rows:
        _show_filtered_out()
        return
    _show_list(arranged, moment, selection, tools, ROOM_PIXELS - LINE_PIXELS * len(lines))


def _show_chips(counts: dict[str, int]) -> None:
    chosen_chip = st.query_params.get(SHOW)
    for name, badge in chips.CHIPS.items():
        on = name == chosen_chip
        st.button(
            f"{plain(badge.sign) if on else f':{badge.colour}[{plain(badge.sign)}]'} **{counts[name]}** {badge.word}",
            key=f"chip-{name}",
            type="primary" if on else "secondary",
            on_click=address.write,
            args=(SHOW, "" if on else name),
            help="Show all runs" if on else "Show only these",
        )


def _show_search() -> None:
    st.text_input(
        "Search",
        key=address.bind(SEARCH),
        on_change=address.follow,
        args=(SEARCH,),
        placeholder=f"Search: {query.EXAMPLE}",
        label_visibility="collapsed",
        width=400,
    )


def _show_attention(lines: list[Line]) -> None:
    with st.container(gap=None):
        for line in lines:
            _show_attention_line(line)


def _show_attention_line(line: Line) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xxsmall"):
        st.page_link(
            "app_pages/run.py",
            label=f":{line.colour}[{plain(line.sign)}] **{plain(line.name)}**",
            query_params={"job": line.identity},
            # So that the causes begin below each other.
            width=NAME_PIXELS,
        )
        st.text(line.text, width="stretch")


def _show_filtered_out() -> None:
    st.text("No run fits the filters and the search.")
    st.button("Clear filters", on_click=_clear)


def _clear() -> None:
    for parameter in (SHOW, SEARCH):
        address.write(parameter, "")


def _show_list(arranged: Arranged, moment: Moment, selection: Selection, tools: DeltaGenerator, height: int) -> None:
    rows, varied = arranged.rows, selection.varied
    groupings = ["", SEEDS, *columns.groupings(varied)]
    by = address.choice(GROUP, groupings)
    with tools:
        usual = columns.of_groups(rows, varied) if by else columns.automatic(rows, varied)
        names = _show_view(rows, usual, groupings, selection.sorts, grouped=bool(by))
    shown = [columns.column(name, names) for name in names]
    groups = group(rows, by) if by else []
    with tools:
        _show_download(partial(group_csv, groups, shown) if by else partial(csv, rows, shown))
    lines = [tuple(row.identity for row in found.rows) for found in groups] if by else [(row.identity,) for row in rows]
    table = group_frame(groups, shown) if by else frame(rows, shown, moment.overview.curves)
    made_of = (rows, shown, moment.overview.curves, by)
    st.fragment(_choose)(arranged, lambda: show_table(table, shown, lines, made_of, _fit(len(lines), height)))


def _choose(arranged: Arranged, show_rows: Callable[[], bool]) -> None:
    # The choice changes the address without a run of the whole page.
    st.session_state[LIST_ADDRESS] = st.query_params.to_dict()
    _show_choice(arranged)
    if show_rows():
        st.rerun()


def _fit(lines: int, height: int) -> int:
    return min(height, lines * ROW_PIXELS) + HEADER_PIXELS


def _show_choice(arranged: Arranged) -> None:
    picked = [identity for identity in chosen() if cache.listing().find(identity)]
    shown, waiting = len(arranged.rows), arranged.waiting
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", height=CHOICE_PIXELS, border=False):
        if waiting and st.button(f"↻ {counted(waiting, 'new run')}", type="primary"):
            st.session_state.pop(ORDER, None)
            st.rerun()
        if not picked:
            st.caption(f"{counted(shown, 'run')}; check two or more to compare them", width="content")
            return
        st.caption(f"{len(picked)} chosen", width="content")
        _show_links(picked)
        st.button("Choose none", on_click=choose, args=([],), type="tertiary")


def _show_links(picked: list[str]) -> None:
    jobs = ",".join(picked[:MOST])
    if len(picked) == 1:
        st.page_link("app_pages/run.py", label="**Open**", icon=":material/show_chart:", query_params={"job": picked[0]})
    else:
        label = f"**Compare {min(len(picked), MOST)} runs**"
        st.page_link("app_pages/compare.py", label=label, icon=":material/compare_arrows:", query_params={"jobs": jobs})
    st.page_link("app_pages/samples.py", label="Samples", icon=":material/notes:", query_params={"jobs": jobs})
    if len(picked) > MOST:
        st.caption(f"the first {MOST} of {len(picked)}", width="content")


def _show_view(rows: list[Row], automatic: list[str], groupings: list[str], sorts: list[str], grouped: bool) -> list[str]:
    everything = list(dict.fromkeys([*automatic, *columns.available(rows)]))
    with st.popover("View", width="content"):
        st.selectbox(
            "Average over seeds",
            groupings,
            key=address.bind_choice(GROUP, groupings),
            format_func=lambda name: {"": "no: one line per run", SEEDS: "yes: one line per configuration"}.get(
                name, f"yes, by {name}"
            ),
            on_change=address.follow,
            args=(GROUP,),
        )
        st.selectbox(
            "Sort by",
            sorts,
            key=address.bind_choice(SORT, sorts),
            format_func=_write_sort,
            on_change=address.follow,
            args=(SORT,),
        )
        if grouped:
            return automatic
        names = st.multiselect(
            "Columns",
            everything,
            key=address.bind_choices(COLUMNS, everything, automatic),
            format_func=lambda name: columns.column(name).label if name in columns.FIXED else name,
            on_change=address.follow,
            args=(COLUMNS, ",".join(automatic)),
        )
    return list(dict.fromkeys([columns.RUN, *names]))


def _write_sort(by: str) -> str:
    name = by.removeprefix("-")
    label = columns.column(name).label if name in columns.FIXED else name
    return f"{label}, {'highest first' if by.startswith('-') else 'lowest first'}" if by else "running first, then newest"


def _show_download(write: Callable[[], str]) -> None:
    # Written when it is clicked: for hundreds of runs that takes as long as the page.
    st.download_button("CSV", write, file_name="runs.csv", mime="text/csv", icon=":material/download:", on_click="ignore")


show()
