"""The columns of the list: which appear by themselves, how they are called, written and sorted."""

import math
from datetime import UTC, datetime

import pytest
from alignment_dashboard.facts.run_list.columns import automatic, available, column, number_format, of_groups, sort, varying
from alignment_dashboard.facts.run_list.row import Row
from list_rows import a_row

ONE = a_row("one", {"dpo.learningRate": 5e-7, "dpo.beta": 0.1, "seed": 1}, {"loss": 0.5})
TWO = a_row("two", {"dpo.learningRate": 1e-6, "dpo.beta": 0.1, "seed": 2}, {"loss": 0.1, "train.margin": 9.0})
TEN = a_row("Ten", {"dpo.learningRate": 1e-5, "dpo.beta": 0.1}, {"train.margin": 10.0}, namespace="lab")


@pytest.mark.parametrize(
    ("rows", "inside", "outside"),
    [
        ([ONE], ["loss"], ["dpo.learningRate", "seed", "train.margin", "namespace", "ends"]),
        ([ONE, ONE._replace(ends=datetime(2026, 1, 1, tzinfo=UTC))], ["ends"], []),
        ([ONE, TWO], ["dpo.learningRate", "seed", "loss", "train.margin"], ["dpo.beta", "namespace", "eval.loss"]),
        ([ONE, TEN], ["namespace"], ["dpo.beta"]),
    ],
)
def test_parameters_that_differ_appear_by_themselves(rows: list[Row], inside: list[str], outside: list[str]) -> None:
    shown = automatic(rows, varying(rows))
    assert set(inside) <= set(shown)
    assert not set(outside) & set(shown)
    assert set(shown) <= set(available(rows))


def test_groups_show_what_differs_but_the_seed() -> None:
    assert of_groups([ONE, TWO], varying([ONE, TWO])) == [
        "run",
        "n",
        "dpo.learningRate",
        "loss",
        "loss sd",
        "train.margin",
        "train.margin sd",
    ]


@pytest.mark.parametrize(
    ("name", "among", "label"),
    [
        ("loss", [], "Train loss"),
        ("dpo.beta", ["dpo.beta"], "beta"),
        ("dpo.learningRate", ["dpo.learningRate", "sft.learningRate"], "dpo.learningRate"),
        ("train.margin sd", [], "± sd"),
    ],
)
def test_a_label_is_as_short_as_it_is_clear(name: str, among: list[str], label: str) -> None:
    assert column(name, among).label == label


@pytest.mark.parametrize(
    ("name", "values", "format_"),
    [
        ("dpo.learningRate", [5e-7, 1e-6], "%.0e"),
        ("dpo.learningRate", [5.5e-7, 1e-6], "%.1e"),
        ("dpo.learningRate", [1 / 3e6], "%.3e"),
        ("dpo.beta", [0.1, 0.01, 0], "%.6g"),
        ("loss", [0.1], "%.4f"),
        ("loss sd", [0.1], "%.4f"),
        ("gpu-hours", [2], "%.1f"),
    ],
)
def test_numbers_of_a_column_are_written_alike(name: str, values: list[float], format_: str) -> None:
    assert number_format(name, values) == format_


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (None, ["one", "two", "Ten"]),
        ("train.margin", ["two", "Ten", "one"]),
        ("-train.margin", ["Ten", "two", "one"]),
        ("-loss", ["one", "two", "Ten"]),
        ("run", ["one", "Ten", "two"]),
        ("dpo.learningRate", ["one", "two", "Ten"]),
        ("-started", ["two", "one", "Ten"]),
        ("unknown", ["one", "two", "Ten"]),
    ],
)
def test_sorting_is_by_value_and_rows_without_one_come_last(by: str | None, names: list[str]) -> None:
    rows = [
        ONE._replace(started=datetime(2026, 1, 9, tzinfo=UTC)),
        TWO._replace(started=datetime(2026, 1, 10, tzinfo=UTC)),
        TEN._replace(started=None),
    ]
    assert [row.name for row in sort(rows, by)] == (["one", "Ten", "two"] if by == "run" else names)


@pytest.mark.parametrize(("by", "names"), [("loss", "bcad"), ("-loss", "cbad")])
def test_nan_comes_last(by: str, names: str) -> None:
    rows = [a_row(name, {}, {"loss": loss}) for name, loss in zip("abc", (math.nan, 1.0, 2.0), strict=True)] + [a_row("d")]
    assert "".join(row.name for row in sort(rows, by)) == names


def test_values_of_several_kinds_can_be_sorted() -> None:
    rows = [a_row("a", {"x": "many"}), a_row("b", {"x": 3}), a_row("c", {"x": True})]
    assert [row.name for row in sort(rows, "x")] == ["c", "b", "a"]
