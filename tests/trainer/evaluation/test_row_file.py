"""Rows that several processes write beside each other, and that an attempt measures again."""

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.evaluation.row_file import RowFile, has_score


def row(name, score, reason=None):
    return EvaluatedRow(key=name, row=name, prompt="", scores={"accuracy": score}, reason=reason)


@pytest.mark.parametrize(
    ("found", "is_measured"),
    [
        (row("a", 1.0), True),
        (row("a", 0.0), True),
        (row("a", 0.5, "the judge likes it"), True),
        (row("a", None, "no verdict"), False),
        (EvaluatedRow(key="a", row="a", prompt="", scores={}, details={"logps": -1.0}), True),
        (EvaluatedRow(key="a", row="a", prompt="", scores={}, reason="it is too long"), False),
    ],
)
def test_a_row_that_failed_is_measured_again(found, is_measured, tmp_path):
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([found])
        assert has_score(found) == is_measured
        assert file.known() == file.known_here() == ({"a"} if is_measured else frozenset())


def test_the_last_of_two_measurements_counts(tmp_path):
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", None, "no verdict"), row("b", 1.0)])
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", 0.0)])
        assert [(found.row, found.scores["accuracy"]) for found in file.read()] == [("a", 0.0), ("b", 1.0)]
        assert file.count() == 2
