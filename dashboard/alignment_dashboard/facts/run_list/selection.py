"""What the address of the list asks for: which runs, in which order, and what differs among them."""

from collections.abc import Mapping
from typing import NamedTuple

from alignment_dashboard.facts.links import one_of
from alignment_dashboard.facts.run_list import chips, columns, query
from alignment_dashboard.facts.run_list.overview import Overview
from alignment_dashboard.facts.run_list.row import Row

SHOW, SEARCH, SORT, GROUP, COLUMNS = "show", "search", "sort", "group", "columns"
"""The parameters of the address."""


class Selection(NamedTuple):
    """The runs that fit the filters, sorted."""

    rows: list[Row]
    problems: list[str]
    """A sentence for each term of the search that means nothing."""
    varied: list[str]
    sorts: list[str]
    """What the list can be sorted by."""
    by: str
    """What it is sorted by; an empty text for its usual order."""


def select(overview: Overview, asked: Mapping[str, str]) -> Selection:
    """Return what an address asks for."""
    shown = chips.chosen(overview.rows, asked.get(SHOW), overview.attention)
    found = query.search(shown, asked.get(SEARCH, ""))
    # Hundreds of runs have tens of thousands of parameters, so what differs is looked for once.
    varied = columns.varying(found.rows)
    sorts = columns.sorts(found.rows, varied)
    by = one_of(asked, SORT, sorts)
    return Selection(columns.sort(found.rows, by), found.problems, varied, sorts, by)
