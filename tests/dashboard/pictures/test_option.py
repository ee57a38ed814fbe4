"""Options and sentences of charts, read as data."""

import json
import math

import pytest
from alignment_api.metrics import EVALUATION_LOSS, LOSS
from alignment_dashboard.data.history import Histories, Point
from alignment_dashboard.pictures.option import describe, draw
from alignment_dashboard.pictures.panels import CHARTS, LOSS_CHART, PREFERENCE_CHARTS

NOT_FINITE = [Point(1, 0.7), Point(2, math.nan), Point(3, math.inf)]
TRAINING = [Point(1, 0.7), Point(2, 0.5), Point(3, 0.4)]


def curves(histories: Histories) -> dict[str, list[list[float | None]]]:
    """Draw the loss, and return the points of each line by its name."""
    return {series["name"]: series["data"] for series in draw(LOSS_CHART, histories, growing=True)["series"]}


@pytest.mark.parametrize(
    ("situation", "histories", "training", "holdout"),
    [
        ("nothing logged", {}, [], []),
        ("training only", {LOSS: TRAINING}, [[1, 0.7], [2, 0.5], [3, 0.4]], []),
        ("an evaluation", {LOSS: TRAINING, EVALUATION_LOSS: [Point(2, 0.6)]}, [[1, 0.7], [2, 0.5], [3, 0.4]], [[2, 0.6]]),
        (
            "a gap where the loss is NaN or infinite",
            {LOSS: NOT_FINITE},
            [[1, 0.7], [2, None], [3, None]],
            [],
        ),
    ],
)
def test_curves(situation: str, histories: Histories, training: list[object], holdout: list[object]) -> None:
    assert curves(histories) == {"training": training, "holdout": holdout}, situation


def test_a_spike_is_drawn_however_long_the_run() -> None:
    history = [Point(step, 40.0 if step == 12_345 else 1.0) for step in range(20_000)]
    drawn = curves({LOSS: history})["training"]
    assert [12_345, 40.0] in drawn
    assert len(drawn) < 2_000


def test_evaluations_are_marked_and_training_is_a_plain_line() -> None:
    training, holdout = draw(LOSS_CHART, {LOSS: TRAINING, EVALUATION_LOSS: TRAINING}, growing=True)["series"]
    assert (training["showSymbol"], holdout["showSymbol"]) == (False, True)


def test_a_single_point_is_marked() -> None:
    assert draw(LOSS_CHART, {LOSS: TRAINING[:1]}, growing=True)["series"][0]["showSymbol"]


def test_only_a_curve_that_has_ended_can_be_zoomed() -> None:
    assert [bool(draw(LOSS_CHART, {}, growing)["dataZoom"]) for growing in (True, False)] == [False, True]


def test_accuracy_is_drawn_between_zero_and_one() -> None:
    accuracy = next(chart for chart in PREFERENCE_CHARTS if chart.title == "Reward accuracy")
    axis = draw(accuracy, {}, growing=True)["yAxis"]
    assert (axis["min"], axis["max"]) == (0, 1)


@pytest.mark.parametrize("kind", CHARTS)
def test_options_are_json_as_streamlit_demands(kind: str) -> None:
    for chart in CHARTS[kind]:
        json.dumps(draw(chart, {metric: [Point(1, math.nan)] for metric in chart.metrics}, growing=True), allow_nan=False)


@pytest.mark.parametrize(
    ("history", "sentence"),
    [
        ([], "no points yet"),
        (TRAINING, "training 0.4 at step 3 (3 points)"),
        ([Point(1, 1.0), Point(2, math.nan)], "training nan at step 2 (2 points), first NaN or infinity at step 2, 1 in all"),
        ([Point(step, 1.0) for step in range(5_000)], "training 1 at step 4,999 (800 of 5,000 points, every peak kept)"),
    ],
)
def test_the_sentence_under_a_chart(history: list[Point], sentence: str) -> None:
    assert describe(LOSS_CHART, {LOSS: history}) == sentence
