"""Which rows a reader sees."""

import pytest
from alignment_api.results.rows import paired_rows
from alignment_dashboard.facts.evaluated.row_choice import Wanted, choose_rows, count_rows
from reported import row

FIRST = [row("better", 0.0, answer="It says YES"), row("worse", 1.0), row("same", 1.0, prompt="Alike"), row("failed", None)]
SECOND = [
    row("better", 1.0, details={"category": "math"}),
    row("worse", 0.0),
    row("same", 1.0, prompt="Alike"),
    row("failed", 1.0),
]
PAIRS = paired_rows(FIRST, SECOND, "accuracy")


@pytest.mark.parametrize(
    ("wanted", "lower_is_better", "shown"),
    [
        ("different", False, ["better", "worse"]),
        ("better", False, ["better"]),
        ("worse", False, ["worse"]),
        ("better", True, ["worse"]),
        ("failed", False, ["failed"]),
        ("all", False, ["better", "worse", "failed", "same"]),
    ],
)
def test_a_choice(wanted: Wanted, lower_is_better: bool, shown: list[str]) -> None:
    assert [pair.first.row for pair in choose_rows(PAIRS, wanted, "", lower_is_better)] == shown
    assert count_rows(PAIRS, lower_is_better)[wanted] == len(shown)


@pytest.mark.parametrize(("text", "shown"), [("alike", ["same"]), ("yes", ["better"]), ("MATH", ["better"]), ("nothing", [])])
def test_a_search_reads_prompts_answers_and_details(text: str, shown: list[str]) -> None:
    assert [pair.first.row for pair in choose_rows(PAIRS, "all", text, lower_is_better=False)] == shown
