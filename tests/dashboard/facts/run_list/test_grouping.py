"""Configurations that differ only in the seed become one line with mean and deviation."""

import pytest
from alignment_dashboard.facts.run_list.grouping import SEEDS, group
from list_rows import a_row

ROWS = [
    a_row("a", {"dpo.beta": 0.5, "seed": 1}, {"loss": 0.2, "train.margin": 1.0}),
    a_row("b", {"dpo.beta": 0.1, "seed": 1}, {"loss": 0.4}),
    a_row("c", {"dpo.beta": 0.5, "seed": 2}, {"loss": 0.4}),
    a_row("f", {"dpo.beta": 0.5, "seed": 3}, {"loss": 9.0}, phase="Failed"),
    a_row("d", {"dpo.beta": 0.5, "dpo.lora.rank": 8, "seed": 3}),
    a_row("e", {"seed": 1}),
]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (SEEDS, [["a", "c", "f"], ["b"], ["d"], ["e"]]),
        ("dpo.beta", [["b"], ["a", "c", "f"], ["d"], ["e"]]),
        ("unknown", [["a", "c", "f"], ["b"], ["d"], ["e"]]),
    ],
)
def test_groups(by: str, names: list[list[str]]) -> None:
    assert [[row.name for row in found.rows] for found in group(ROWS, by)] == names


def test_a_group_has_mean_deviation_and_count() -> None:
    first = group(ROWS, SEEDS)[0]
    assert first.value("n") == "2 of 3"
    assert first.value("loss") == pytest.approx(0.3)
    assert first.value("loss sd") == pytest.approx(0.02**0.5)
    assert (first.value("train.margin"), first.value("train.margin sd")) == (1.0, None)
    assert (first.value("train.accuracy"), first.value("dpo.beta")) == (None, 0.5)
