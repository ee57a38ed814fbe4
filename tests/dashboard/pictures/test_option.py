"""Options of charts, read as data."""

import json
import math
from typing import Any

import pytest
from alignment_api.metrics import EVALUATION_LOSS, GRADIENT_NORM, LEARNING_RATE, LOSS, REWARD_CHOSEN, REWARD_REJECTED
from alignment_dashboard.pictures.display import Display
from alignment_dashboard.pictures.option import draw
from alignment_dashboard.pictures.panels import PANELS, PREFERENCE, SFT, metrics_of
from alignment_dashboard.pictures.summary import summarize
from alignment_dashboard.store.history import Histories, History
from drawn_histories import a_history, a_trace, noise

RAW = Display(smoothing=0)
TRAINING = a_history([0.7, 0.5, 0.4])
BROKEN = a_history([0.7, math.nan, math.inf, 0.6])
SPIKED = [33.0 if step == 200 else value for step, value in enumerate(noise(600, 0.5))]


def drawn(*histories: Histories, display: Display = RAW, panel: int = 0) -> list[dict[str, Any]]:
    """Return the series of one panel, of one run or of several."""
    traces = [a_trace(known, f"run-{number}") for number, known in enumerate(histories)]
    return [series for series in draw(PREFERENCE, traces, display, dark=False)["series"] if series["xAxisIndex"] == panel]


def points(histories: Histories) -> dict[str, Any]:
    """Return the points of each line of the loss, by its name."""
    return {series["name"]: series["data"] for series in drawn(histories) if series["type"] == "line"}


def marks(histories: Histories, display: Display = RAW) -> list[str]:
    """Return the words of all marks of the loss."""
    return [mark["value"][2] for series in drawn(histories, display=display) for mark in series["data"] if isinstance(mark, dict)]


@pytest.mark.parametrize(
    ("situation", "histories", "training", "holdout"),
    [
        ("nothing logged", {}, [], []),
        ("training only", {LOSS: TRAINING}, [[1, 0.7], [2, 0.5], [3, 0.4]], []),
        (
            "an evaluation",
            {LOSS: TRAINING, EVALUATION_LOSS: a_history([0.6], every=2)},
            [[1, 0.7], [2, 0.5], [3, 0.4]],
            [[2, 0.6]],
        ),
        ("a gap where the loss is NaN or infinite", {LOSS: BROKEN}, [[1, 0.7], [2, None], [3, None], [4, 0.6]], []),
    ],
)
def test_curves(situation: str, histories: Histories, training: list[object], holdout: list[object]) -> None:
    assert points(histories) == {"training": training, "holdout": holdout}, situation


def test_a_spike_is_drawn_however_long_the_run() -> None:
    history = a_history([40.0 if step == 12_345 else 1.0 for step in range(1, 20_001)])
    training = points({LOSS: history})["training"]
    assert [12_345, 40.0] in training
    assert len(training) < 1_000


@pytest.mark.parametrize(
    ("situation", "values", "display", "words"),
    [
        ("nothing odd", noise(100), RAW, []),
        ("a spike that leaves the panel has its value at the edge", SPIKED, RAW, ["33"]),
        ("a clipped spike is only counted", SPIKED, Display(0, clip=True), []),
        ("NaN at its first step", [0.7, 0.6, math.nan, math.nan, 0.6, math.inf], RAW, ["NaN at 3", "+∞ at 6"]),
        (
            "a small spike beside a smoothed line has a ring",
            [value + (step == 50) / 10 - step / 200 for step, value in enumerate(noise(100, 0.9, 0.005))],
            Display(0.9),
            [""],
        ),
    ],
)
def test_marks(situation: str, values: list[float], display: Display, words: list[str]) -> None:
    assert marks({LOSS: a_history(values)}, display) == words, situation


@pytest.mark.parametrize(
    ("clip", "note"),
    [(False, "point beyond the edge: 1 above"), (True, "points hidden: 6 above and 11 below")],
)
def test_the_title_says_how_many_points_are_not_drawn(clip: bool, note: str) -> None:
    title = draw(PREFERENCE, [a_trace({LOSS: a_history(SPIKED)})], Display(0, clip=clip), dark=False)["title"][0]
    assert title["text"] == f"Loss  {{note|{note}}}"


def test_panels_share_the_cursor_but_not_the_tooltip() -> None:
    option = draw(PREFERENCE, [a_trace({LOSS: TRAINING})], RAW, dark=False)
    linked = option["axisPointer"]["link"][0]["xAxisIndex"]
    assert [option["xAxis"][index]["gridIndex"] for index in linked] == [0, 1, 2, 3, 4, 5]
    assert not {series["xAxisIndex"] for series in option["series"]} & set(linked)
    assert len({(axis["min"], axis["max"]) for axis in option["xAxis"]}) == 1


def test_every_smoothed_line_has_a_point_at_each_place_of_the_tooltip() -> None:
    histories = [{LOSS: a_history(noise(3_000, seed=seed))} for seed in range(3)]
    lines = [
        series["data"] for series in drawn(*histories, display=Display(0.9)) if series.get("tooltip") is None and series["data"]
    ]
    assert len(lines) == 3
    assert len({tuple(place for place, _ in line) for line in lines}) == 1


@pytest.mark.parametrize("smoothing", [0.0, 0.9])
def test_with_many_runs_the_colour_says_which_run_it_is(smoothing: float) -> None:
    histories: list[dict[str, History]] = [{REWARD_CHOSEN: TRAINING, REWARD_REJECTED: TRAINING} for _ in range(3)]
    heard = [
        series
        for series in drawn(*histories, display=Display(smoothing), panel=3)
        if series["type"] == "line" and "tooltip" not in series and series["data"]
    ]
    assert [series["name"] for series in heard] == [
        f"run-{number}, {role}" for role in ("chosen", "rejected") for number in range(3)
    ]
    assert {series["itemStyle"]["color"] for series in heard} == {"#0072B2"}
    assert heard[0]["lineStyle"]["type"] != heard[-1]["lineStyle"]["type"]


def test_a_lone_run_has_a_legend_of_roles_and_many_have_none() -> None:
    def legend(runs: int) -> Any:
        return draw(
            PREFERENCE, [a_trace({LOSS: TRAINING, EVALUATION_LOSS: TRAINING}, str(run)) for run in range(runs)], RAW, False
        )["legend"]

    assert legend(1)["data"] == ["training", "holdout"]
    assert not legend(2)["show"]


def test_the_line_of_a_panel_with_one_line_is_not_in_the_legend() -> None:
    assert not draw(SFT, [a_trace({GRADIENT_NORM: TRAINING})], RAW, False)["legend"]["show"]


def test_evaluations_are_marked_and_training_is_a_plain_line() -> None:
    training, holdout, _ = drawn({LOSS: TRAINING, EVALUATION_LOSS: TRAINING})
    assert (training["showSymbol"], holdout["showSymbol"]) == (False, True)


def test_a_single_point_is_marked() -> None:
    assert drawn({LOSS: a_history([0.7])})[0]["showSymbol"]


@pytest.mark.parametrize(("values", "kind"), [([1.0, 2.0], "log"), ([1.0, 0.0], "value")])
def test_a_logarithmic_axis_only_above_zero(values: list[float], kind: str) -> None:
    option = draw(PREFERENCE, [a_trace({GRADIENT_NORM: a_history(values)})], Display(log=True), dark=False)
    assert option["yAxis"][5]["type"] == kind
    assert (option["yAxis"][5]["axisLabel"].get("customValues") == [1, 2]) == (kind == "log")


def test_references_are_drawn() -> None:
    option = draw(PREFERENCE, [a_trace({LOSS: TRAINING})], RAW, dark=False)
    lines = [series["markLine"]["data"][0]["yAxis"] for series in option["series"] if "markLine" in series]
    assert lines == [pytest.approx(math.log(2)), 0.5, 0]
    # By default ECharts rounds their places to two decimals.
    assert {series["markLine"]["precision"] for series in option["series"] if "markLine" in series} == {6}
    assert (option["yAxis"][2]["min"], option["yAxis"][2]["max"]) == (0, 1)


@pytest.mark.parametrize("axis", ["step", "time"])
@pytest.mark.parametrize("runs", [1, 2, 20])
@pytest.mark.parametrize("kind", PANELS)
def test_options_are_json_as_streamlit_demands(kind: str, runs: int, axis: Any) -> None:
    panels = PANELS[kind]
    histories = dict.fromkeys(metrics_of(panels), BROKEN)
    traces = [a_trace(histories if run else {}, str(run)) for run in range(runs)]
    json.dumps(draw(panels, traces, Display(0.9, True, True, axis, (1, 2)), dark=True), allow_nan=False)


@pytest.mark.parametrize(
    ("histories", "words"),
    [
        ({}, "Loss: no points yet."),
        ({LOSS: TRAINING}, "Loss: training 0.4 at step 3."),
        ({LOSS: a_history([1.0, math.nan])}, "Loss: training nan at step 2, first NaN or infinity at step 2, 1 in all."),
        ({LOSS: TRAINING, EVALUATION_LOSS: TRAINING}, "Loss: training 0.4 at step 3; holdout 0.4 at step 3."),
    ],
)
def test_the_summary_for_readers_who_cannot_see(histories: Histories, words: str) -> None:
    assert summarize(PREFERENCE, histories).startswith(words)


@pytest.mark.parametrize(
    ("highest", "title", "drawn_highest"),
    [
        (2e-5, "Learning rate × 10⁻⁵", 2.0),
        (5e-7, "Learning rate × 10⁻⁷", 5.0),
        (0.02, "Learning rate", 0.02),
        (0.0, "Learning rate", 0.0),
    ],
)
def test_small_values_are_in_powers_of_ten_and_a_plan_is_not_smoothed(highest: float, title: str, drawn_highest: float) -> None:
    option = draw(SFT, [a_trace({LEARNING_RATE: a_history([0.0, highest, 0.0])})], Display(0.99), dark=False)
    assert option["title"][3]["text"] == title
    smoothed = next(series for series in option["series"] if series["xAxisIndex"] == 3 and "smoothed" in series.get("name", ""))
    assert max(value for _, value in smoothed["data"]) == pytest.approx(drawn_highest)


def test_a_narrow_screen_has_two_panels_in_a_row() -> None:
    option = draw(SFT, [], RAW, dark=False)
    narrow, wide = option["media"]
    assert narrow["query"] == {"maxWidth": 700}
    assert [len({grid["left"] for grid in rule["option"]["grid"]}) for rule in (narrow, wide)] == [2, 3]
    assert wide["option"] == {"grid": option["grid"], "title": option["title"]}
