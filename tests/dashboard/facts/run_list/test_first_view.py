"""The list of runs as plain HTML says the same as the table that replaces it."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from alignment_dashboard.data.listing import Failure, Guidance, Listing
from alignment_dashboard.facts.run_list.first_view import OLD, ROWS, first_view
from alignment_dashboard.facts.run_list.overview import Overview, Unread
from alignment_dashboard.facts.status import Attention
from alignment_dashboard.keeper import Known
from list_rows import a_row

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
RUNS = (
    a_row(
        "new", {"dpo.beta": 0.5, "dpo.loss": "ipo"}, {"loss": 1 / 3}, phase="Running", percent=62, ends=NOW + timedelta(hours=2)
    ),
    a_row("old", {"dpo.beta": 5e-7, "dpo.loss": "<b>"}, {"loss": math.nan}, phase="Failed", percent=None, started=None),
)
LISTING = Listing((), (), Guidance("", "", "", "", "", None, lambda job, stage: ""))
OVERVIEW = Overview(
    RUNS, {"uid-old": Attention("red", "BadData", "line 17 has <i> & no answer")}, {"uid-new": [2, math.nan, 1, 0]}
)


def shown(asked: dict[str, str], overview: Overview = OVERVIEW) -> ElementTree.Element:
    """Return the parsed view."""
    return ElementTree.fromstring(first_view(LISTING, Known(overview, None, NOW), asked, NOW))


def cells(view: ElementTree.Element) -> list[list[str]]:
    """Return the text of all cells, with the titles first."""
    return [["".join(cell.itertext()).strip() for cell in row] for row in view.iter("tr")]


def test_each_column_is_written_as_the_table_writes_it() -> None:
    assert cells(shown({"columns": "status,progress,ends,dpo.beta,dpo.loss,loss,started,curve"})) == [
        ["Run", "Status", "Progress", "Ends", "beta", "dpo.loss", "Train loss", "Started", "Loss curve"],
        ["new", "▶ Running", "62%", "in 2h", "5e-1", "ipo", "0.3333", "12h ago", ""],
        ["old", "✕ Failed", "–", "–", "5e-7", "<b>", "–", "–", ""],
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["new", "old"]),
        ({"show": "failed"}, ["old"]),
        ({"search": "beta>0.1"}, ["new"]),
        ({"sort": "-run"}, ["old", "new"]),
        ({"sort": "nothing", "show": "nothing", "columns": "nothing", "ticked": "uid-old"}, ["new", "old"]),
    ],
)
def test_the_address_decides_what_is_shown(asked: dict[str, str], names: list[str]) -> None:
    assert [row[0] for row in cells(shown(asked))[1:]] == names


@pytest.mark.parametrize(
    ("asked", "listing", "problem"),
    [
        ({"group": "seed"}, LISTING, None),
        ({"search": "nothing=1"}, LISTING, None),
        ({"search": "no-such-run"}, LISTING, None),
        ({}, replace(LISTING, failures=(Failure("Cluster", "The API server does not answer."),)), None),
        ({}, replace(LISTING, problems=("job.json cannot be read.",)), None),
        ({}, LISTING, "The list may be old."),
    ],
)
def test_a_list_with_more_to_say_waits_for_the_page(asked: dict[str, str], listing: Listing, problem: str | None) -> None:
    assert first_view(listing, Known(OVERVIEW, problem, NOW), asked, NOW) == ""


def test_a_list_without_mlflow_waits_for_the_page() -> None:
    unread = OVERVIEW._replace(unread=Unread("MLflow does not answer.", None))
    assert first_view(LISTING, Known(unread, None, NOW), {}, NOW) == ""


def test_rows_of_long_ago_wait_for_the_page() -> None:
    assert first_view(LISTING, Known(OVERVIEW, None, NOW - OLD), {}, NOW)
    assert not first_view(LISTING, Known(OVERVIEW, None, NOW - 2 * OLD), {}, NOW)


def test_large_numbers_have_no_exponent_as_in_the_table() -> None:
    rows = tuple(a_row(f"run-{seed}", {"seed": seed}) for seed in (2_000_000, 12_345_678, 7))
    assert [row[1] for row in cells(shown({"columns": "seed"}, Overview(rows, {}, {})))] == ["seed", "2000000", "12345700", "7"]


def test_a_name_and_a_line_of_attention_lead_to_their_run() -> None:
    view = shown({})
    assert [link.get("href") for row in view.iter("td") for link in row.iter("a")] == ["run?job=uid-new", "run?job=uid-old"]
    (line,) = view.iter("li")
    assert [link.get("href") for link in line.iter("a")] == ["run?job=uid-old"]
    assert "".join(line.itertext()).startswith("✕ oldbad data: line 17 has <i> & no answer  →  ")


def test_a_chip_keeps_the_search_and_undoes_itself() -> None:
    chips = {"".join(chip.itertext()): chip.get("href") for chip in shown({"search": "o", "show": "failed"}).findall("header/a")}
    assert chips["▶ 1 running"] == "?search=o&show=running"
    assert chips["✕ 1 failed"] == "?search=o"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><b onclick="x">', "a&amp;b", "\u202ename"])
def test_text_of_users_is_never_markup(name: str) -> None:
    row = a_row(name, {"dpo.loss": name}, model=name, stages=name, reason=name, namespace=name, phase="Failed")
    view = shown({"columns": "dpo.loss,model,stages,reason,namespace", "search": ""}, Overview((row,), {}, {}))
    visible = name.replace("\u202e", "\\u202e")
    assert cells(view)[1] == [visible] * 6
    assert not {element.tag for element in view.iter()} & {"script", "b onclick"}


def test_a_curve_is_drawn_from_its_finite_values() -> None:
    (line,) = shown({}).iter("polyline")
    assert line.get("points") == "0.0,0.0 49.3,10.0 74.0,20.0"


def test_a_long_list_has_as_many_rows_as_fit() -> None:
    many = Overview(tuple(a_row(f"run-{number}") for number in range(2 * ROWS)), {}, {})
    view = shown({}, many)
    assert len(cells(view)) == ROWS + 1
    assert view.findtext("p") == f"{2 * ROWS} runs; search and choice are loading"
