"""The typed table that the browser gets, and its CSV."""

import math
from datetime import UTC, datetime

import pytest
from alignment_dashboard.facts.run_list.columns import column
from alignment_dashboard.facts.run_list.grouping import SEEDS, group
from alignment_dashboard.facts.run_list.table import csv, frame, group_csv, group_frame
from list_rows import a_row

NAMES = ["run", "status", "progress", "dpo.learningRate", "dpo.loss", "loss", "curve", "started"]
COLUMNS = [column(name, NAMES) for name in NAMES]
ROWS = [
    a_row("<b>", {"dpo.learningRate": 5e-7, "dpo.loss": "ipo", "seed": 1}, {"loss": 1 / 3}),
    a_row("[x](http://y)", {"dpo.learningRate": 1, "dpo.loss": 3}, percent=None, started=None),
]


def test_every_column_has_a_type_that_sorts() -> None:
    table = frame(ROWS, COLUMNS, {"uid-<b>": [1.0, 0.5]})
    assert [str(dtype) for dtype in table.dtypes] == [
        *("object", "object", "Int64", "float64", "string", "float64", "object", "datetime64[ms, UTC]")
    ]
    assert list(table["curve"]) == [[1.0, 0.5], None]
    assert list(table["status"]) == [["✓ Succeeded"]] * 2
    assert list(table["dpo.loss"]) == ["ipo", "3"]


def test_a_name_is_a_link_that_begins_with_the_name() -> None:
    assert list(frame(ROWS, COLUMNS, {})["run"]) == [
        "run?name=%3Cb%3E&job=uid-%3Cb%3E",
        "run?name=%5Bx%5D%28http%3A%2F%2Fy%29&job=uid-%5Bx%5D%28http%3A%2F%2Fy%29",
    ]


def test_the_csv_has_names_ids_and_every_digit() -> None:
    assert csv(ROWS, COLUMNS).splitlines() == [
        "run,id,status,progress,dpo.learningRate,dpo.loss,loss,started",
        f"<b>,uid-<b>,Succeeded,100,5e-07,ipo,{1 / 3!r},2026-01-02 00:00:00+00:00",
        "[x](http://y),uid-[x](http://y),Succeeded,,1.0,3,,",
    ]


def test_the_csv_tells_nan_from_what_was_never_measured() -> None:
    rows = [a_row(name, {}, metrics) for name, metrics in (("nan", {"loss": math.nan}), ("none", {}), ("one", {"loss": 0.5}))]
    assert csv(rows, [column("run"), column("loss")]).splitlines()[1:] == ["nan,uid-nan,NaN", "none,uid-none,", "one,uid-one,0.5"]


def test_a_group_is_a_line_that_links_to_its_comparison() -> None:
    rows = [a_row("a", {"dpo.beta": 0.1, "seed": 1}, {"loss": 0.2}), a_row("b", {"dpo.beta": 0.1, "seed": 2}, {"loss": 0.4})]
    shown = [column(name) for name in ("run", "n", "dpo.beta", "loss", "loss sd")]
    groups = group([*rows, a_row("c", {"dpo.beta": 0.5})], SEEDS)
    table = group_frame(groups, shown)
    assert table["run"][0] == "compare?name=a+and+1+more&jobs=uid-a,uid-b"
    assert list(table["n"]) == ["2 of 2", "1 of 1"]
    assert table["loss"][0] == pytest.approx(0.3)
    assert group_csv(groups, shown).splitlines()[2] == "c,1 of 1,0.5,,"


def test_moments_keep_their_order() -> None:
    rows = [a_row(str(day), started=datetime(2026, 1, day, tzinfo=UTC)) for day in (9, 10, 2)]
    assert list(frame(rows, [column("started")], {})["started"].rank()) == [2, 3, 1]
