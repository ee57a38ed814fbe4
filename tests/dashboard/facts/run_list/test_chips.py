"""The filters above the list."""

from typing import get_args

import pytest
from alignment_api.spec.status import Phase
from alignment_dashboard.facts.run_list.chips import CHIPS, chip_of, chosen, count
from list_rows import a_row

ROWS = [a_row(phase, phase=phase) for phase in get_args(Phase)]
NEEDING = {"uid-Failed", "uid-Restarting"}


def test_the_counts_are_those_of_the_filtered_lists() -> None:
    counts = count(ROWS, NEEDING)
    assert counts == {"running": 2, "waiting": 3, "attention": 2, "succeeded": 1, "failed": 1}
    assert {name: len(chosen(ROWS, name, NEEDING)) for name in CHIPS} == counts


@pytest.mark.parametrize("chip", [None, "", "unknown"])
def test_no_chip_leaves_all_runs(chip: str | None) -> None:
    assert chosen(ROWS, chip, NEEDING) == ROWS


def test_every_phase_has_a_chip() -> None:
    assert {chip_of(phase) for phase in get_args(Phase)} < set(CHIPS)
