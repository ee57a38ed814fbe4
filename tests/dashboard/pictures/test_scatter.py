"""Two numbers of each run as an ECharts option."""

import json
import math

import pytest
from alignment_dashboard.facts.comparison.quantities import Quantity
from alignment_dashboard.pictures.scatter import Point, describe, draw, drawn

RATE = Quantity("dpo.learningRate", {"a": 1e-6, "b": 1e-7, "c": 1e-6}, log=True)
ACCURACY = Quantity("Accuracy", {"a": 0.7, "b": 0.6}, log=False)
POINTS = [Point("a", "run a", "#111111", True), Point("b", "run b", "#222222", False), Point("c", "run c", "#333333", False)]


def test_a_run_without_one_of_the_numbers_is_left_out() -> None:
    assert [point.name for point in drawn(RATE, ACCURACY, POINTS)] == ["run a", "run b"]
    assert not drawn(RATE, Quantity("Accuracy", {"a": math.nan}, log=False), POINTS)


def test_a_log_axis_has_a_tick_for_each_value_in_scientific_form() -> None:
    option = draw(RATE, ACCURACY, POINTS, dark=False)
    assert [item["value"] for item in option["series"][0]["data"]] == [[-6.0, 0.7], [-7.0, 0.6]]
    ticks = option["series"][1]["markLine"]["data"]
    assert [(tick["xAxis"], tick["label"]["formatter"]) for tick in ticks] == [(-7.0, "1e-7"), (-6.0, "1e-6")]


def test_a_log_axis_of_many_values_has_a_tick_for_each_power_of_ten() -> None:
    many = Quantity("dpo.learningRate", {str(number): 1e-7 * 1.5**number for number in range(20)}, log=True)
    option = draw(many, ACCURACY, POINTS, dark=False)
    assert option["xAxis"]["axisLabel"] == {"show": True, "formatter": "1e{value}", "showMinLabel": False, "showMaxLabel": False}
    assert len(option["series"]) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_each_point_has_the_colour_of_its_run_and_the_baseline_another_mark(dark: bool) -> None:
    first, second = draw(RATE, ACCURACY, POINTS, dark)["series"][0]["data"]
    assert (first["itemStyle"]["color"], first["symbol"], second["symbol"]) == ("#111111", "diamond", "circle")


def test_the_words_of_a_scatter() -> None:
    assert describe(RATE, ACCURACY, POINTS) == (
        "Accuracy against dpo.learningRate: run a: dpo.learningRate 1e-6, Accuracy 0.7; "
        "run b: dpo.learningRate 1e-7, Accuracy 0.6."
    )


def test_the_option_is_json() -> None:
    json.dumps(draw(RATE, ACCURACY, POINTS, dark=True), allow_nan=False)
