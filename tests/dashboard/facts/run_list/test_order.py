"""The order of a list holds still while it is read."""

import pytest
from alignment_dashboard.facts.run_list.order import Order, arrange
from list_rows import a_row

KNOWN = Order("all", ("uid-b", "uid-a"))


@pytest.mark.parametrize(
    ("situation", "fitting", "asked", "before", "shown", "waiting"),
    [
        ("opened", ["a", "b"], "all", None, ["a", "b"], 0),
        ("nothing is new", ["a", "b"], "all", KNOWN, ["b", "a"], 0),
        ("two are new", ["new", "a", "b", "newer"], "all", KNOWN, ["b", "a"], 2),
        ("one is gone", ["a"], "all", KNOWN, ["a"], 0),
        ("another search", ["new", "a", "b"], "some", KNOWN, ["new", "a", "b"], 0),
        ("nothing of it is left", ["new"], "all", KNOWN, ["new"], 0),
        ("nothing at all", [], "all", KNOWN, [], 0),
    ],
)
def test_arrange(situation: str, fitting: list[str], asked: str, before: Order | None, shown: list[str], waiting: int) -> None:
    found = arrange([a_row(name) for name in fitting], asked, before)
    assert ([row.name for row in found.rows], found.waiting) == (shown, waiting), situation


def test_a_waiting_run_still_waits_the_next_time() -> None:
    first = arrange([a_row(name) for name in ("new", "a", "b")], "all", KNOWN)
    assert arrange([a_row(name) for name in ("new", "a", "b")], "all", first.order).waiting == 1
