"""Which rows a reader sees."""

import pytest
from alignment_api.results.evaluation import Better
from alignment_api.results.rows import paired_rows
from alignment_dashboard.facts.evaluated.row_choice import WANTED, Wanted, choose_rows, count_rows, difference_in_words, name_of
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


@pytest.mark.parametrize(
    ("row", "better", "text"),
    [
        ("better", "Higher", "accuracy +1: dpo is better"),
        ("better", "Lower", "accuracy +1: dpo is worse"),
        ("worse", "Higher", "accuracy −1: dpo is worse"),
        ("worse", "Neither", "accuracy −1"),
        ("same", "Higher", "accuracy +0"),
        ("failed", "Higher", "accuracy: no score"),
    ],
)
def test_a_difference_in_words(row: str, better: Better, text: str) -> None:
    (pair,) = (pair for pair in PAIRS if pair.first.row == row)
    assert difference_in_words(pair, "accuracy", "dpo", better) == text


def test_where_neither_is_better_rows_are_higher_or_lower() -> None:
    assert [name_of(wanted, "Neither") for wanted in WANTED] == ["different", "higher", "lower", "failed", "all"]
    assert [name_of(wanted, "Lower") for wanted in WANTED] == list(WANTED)


@pytest.mark.parametrize(("text", "shown"), [("alike", ["same"]), ("yes", ["better"]), ("MATH", ["better"]), ("nothing", [])])
def test_a_search_reads_prompts_answers_and_details(text: str, shown: list[str]) -> None:
    assert [pair.first.row for pair in choose_rows(PAIRS, "all", text, lower_is_better=False)] == shown
