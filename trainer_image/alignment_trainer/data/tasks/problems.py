"""Reads a programming problem as HumanEval's authors ship it: the beginning of a function, and a test of it."""

from typing import NamedTuple

from alignment_trainer.forms.form import Row, has_columns, shown_columns
from alignment_trainer.forms.texts import text_of
from alignment_trainer.reading.bad_row import BadRow

_COLUMNS = ("prompt", "entry_point", "test")


class Problem(NamedTuple):
    """A function to write."""

    prompt: str
    """Imports, the function's first line and its docstring."""
    function: str
    """Its name."""
    test: str
    """Defines `check`, which takes the function."""
    solution: str | None
    """The authors' own, without the prompt."""


def read_problem(row: Row) -> Problem:
    """Read a problem; raise BadRow where it has no function or no test."""
    if not has_columns(row, _COLUMNS):
        missing = next(column for column in _COLUMNS if row.get(column) is None)
        raise BadRow(f"has no {missing}; HumanEval needs prompt, entry_point and test, but the row has {shown_columns(row)}")
    prompt, function, test = (text_of(row, column) for column in _COLUMNS)
    problem = Problem(prompt, function, test, row.get("canonical_solution"))
    if not problem.function.isidentifier() or f"def {problem.function}" not in problem.prompt:
        raise BadRow("entry_point names no function that its prompt begins; correct it")
    if "def check(" not in problem.test:
        raise BadRow("test defines no function check, which HumanEval calls with the program's function; correct it")
    return problem
