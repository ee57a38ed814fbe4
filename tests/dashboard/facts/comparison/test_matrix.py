"""A metric over two parameters."""

import math

import pytest
from alignment_dashboard.facts.comparison.matrix import axes, describe, matrix, rows_of
from alignment_dashboard.facts.comparison.spread import spread_of
from compared_jobs import dpo, job

JOBS = [
    job("a", dpo(1e-6, seed=1, beta=0.1)),
    job("b", dpo(1e-6, seed=2, beta=0.1)),
    job("c", dpo(5e-7, seed=1, beta=0.1)),
    job("d", dpo(5e-7, seed=1, beta=0.01)),
]
VALUES = {"uid-a": 0.6, "uid-b": 0.8, "uid-c": 0.5, "uid-d": 0.4}


def test_each_cell_is_the_mean_over_the_seeds() -> None:
    found = matrix(JOBS, VALUES, "dpo.learningRate", "dpo.beta")
    assert (found.columns, found.lines, found.mixed) == (("5e-7", "1e-6"), ("0.01", "0.1"), ())
    assert {place: (round(cell.mean, 6), cell.size) for place, cell in found.cells.items()} == {
        (1, 1): (0.7, 2),
        (0, 1): (0.5, 1),
        (0, 0): (0.4, 1),
    }


def test_a_matrix_over_one_parameter_has_one_line_and_names_what_it_mixes() -> None:
    found = matrix(JOBS, VALUES, "dpo.learningRate", None)
    assert (found.lines, found.mixed) == (("",), ("dpo.beta",))
    assert found.cells[1, 0].size == found.cells[0, 0].size == 2


def test_the_words_of_a_matrix_say_what_was_not_run() -> None:
    assert describe(matrix(JOBS, VALUES, "dpo.learningRate", "dpo.beta"), "Accuracy") == (
        "Accuracy by dpo.learningRate and dpo.beta. dpo.learningRate 5e-7, dpo.beta 0.01: 0.4000 (n 1); "
        "dpo.learningRate 1e-6, dpo.beta 0.01: not run; dpo.learningRate 5e-7, dpo.beta 0.1: 0.5000 (n 1); "
        "dpo.learningRate 1e-6, dpo.beta 0.1: 0.7000 ± 0.1 (n 2)."
    )


def test_the_rows_of_a_matrix_have_every_cell() -> None:
    rows = rows_of(matrix(JOBS, VALUES, "dpo.learningRate", "dpo.beta"), "Accuracy")
    assert rows[1] == {"dpo.learningRate": "1e-6", "dpo.beta": "0.01", "Accuracy": None, "n": 0, "sd": None, "se": None}
    assert (rows[0]["n"], rows[0]["sd"]) == (1, None)
    assert rows[3]["sd"] == pytest.approx(math.sqrt(0.02))


def test_the_seed_is_the_last_axis() -> None:
    assert axes(JOBS) == ["dpo.learningRate", "dpo.beta", "seed"]


def test_a_run_without_a_result_is_not_in_its_cell() -> None:
    assert matrix(JOBS, {"uid-a": 0.6}, "dpo.learningRate", "dpo.beta").cells.keys() == {(1, 1)}


@pytest.mark.parametrize(
    ("values", "written"),
    [([1.0], "1.000"), ([1.0, 2.0], "1.500 ± 0.5"), ([0.0], "0"), ([2e-5], "2e-5"), ([1.0, math.nan], "NaN")],
)
def test_the_spread_of_values(values: list[float], written: str) -> None:
    spread = spread_of(values)
    assert spread and spread.write() == written
