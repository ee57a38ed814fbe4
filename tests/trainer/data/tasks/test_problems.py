"""Programming problems are read as HumanEval's authors ship them, and others are refused."""

from typing import Any

import pytest
from alignment_trainer.data.tasks.problems import read_problem
from alignment_trainer.reading.bad_row import BadRow
from programming_problems import DOUBLE


def test_a_problem_is_read() -> None:
    problem = read_problem(DOUBLE)
    assert (problem.function, problem.solution) == ("double", DOUBLE["canonical_solution"])


def test_a_solution_of_the_authors_is_not_needed() -> None:
    assert read_problem({**DOUBLE, "canonical_solution": None}).solution is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"test": None}, "has no test; HumanEval needs prompt, entry_point and test, but the row has"),
        ({"prompt": ""}, "prompt is empty"),
        ({"entry_point": "triple"}, "entry_point names no function that its prompt begins"),
        ({"entry_point": "double(1); evil"}, "entry_point names no function that its prompt begins"),
        ({"test": "assert double(1) == 2"}, "test defines no function check"),
    ],
)
def test_a_row_that_cannot_be_run_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(BadRow, match=fault):
        read_problem({**DOUBLE, **changes})
