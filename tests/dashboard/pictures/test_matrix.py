"""The matrix of two parameters as an ECharts option."""

import json

import pytest
from alignment_dashboard.facts.comparison.matrix import Matrix, matrix
from alignment_dashboard.pictures.matrix import draw, height_of
from compared_jobs import dpo, job

JOBS = [job("a", dpo(1e-6, beta=0.1)), job("b", dpo(1e-6, seed=2, beta=0.1)), job("c", dpo(5e-7, beta=0.01))]


def found(*values: float) -> Matrix:
    """Return the matrix of three runs in four cells."""
    return matrix(JOBS, {f"uid-{name}": value for name, value in zip("abc", values, strict=True)}, "dpo.learningRate", "dpo.beta")


@pytest.mark.parametrize(
    ("lower_is_better", "texts"),
    [
        (False, ["★ 0.7000 ± 0.1\nn 2, sd 0.14", "0.4000\nn 1", "not run", "not run"]),
        (True, ["0.7000 ± 0.1\nn 2, sd 0.14", "★ 0.4000\nn 1", "not run", "not run"]),
    ],
)
def test_each_cell_says_mean_error_and_count_and_the_best_has_a_star(lower_is_better: bool, texts: list[str]) -> None:
    drawn = draw(found(0.6, 0.8, 0.4), lower_is_better, dark=False)
    assert [item["label"]["formatter"] for series in drawn["series"] for item in series["data"]] == texts


def test_the_strong_colour_is_the_better_end() -> None:
    more, less = (draw(found(0.6, 0.8, 0.4), lower, dark=True)["visualMap"]["inRange"]["color"] for lower in (False, True))
    assert more == less[::-1]


def test_equal_cells_have_a_range_and_no_winner_needs_more_than_one_cell() -> None:
    drawn = draw(found(0.5, 0.5, 0.5), False, dark=False)
    assert drawn["visualMap"]["min"] < drawn["visualMap"]["max"]


def test_a_cell_of_nan_has_words_and_no_colour() -> None:
    drawn = draw(found(float("nan"), 0.8, 0.4), False, dark=False)
    assert [len(series["data"]) for series in drawn["series"]] == [1, 3]
    assert "NaN\nn 2" in [item["label"]["formatter"] for item in drawn["series"][1]["data"]]
    json.dumps(drawn, allow_nan=False)


def test_each_line_adds_to_the_height() -> None:
    one = matrix(JOBS, {}, "dpo.learningRate", None)
    assert height_of(found(1, 2, 3)) > height_of(one)
