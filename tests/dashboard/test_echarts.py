"""What a chart shows, read from its option."""

import json
import math

import pytest
from alignment_api.metrics import EVALUATION_LOSS, LOSS, REWARD_CHOSEN, REWARD_REJECTED
from alignment_dashboard.data.history import Histories, Point
from alignment_dashboard.figures import LOSS_PANEL, PANELS, PREFERENCE_PANELS, describe, draw

BROKEN = [Point(1, 0.7), Point(2, math.nan), Point(3, math.inf)]
TRAINING = [Point(1, 0.7), Point(2, 0.5), Point(3, 0.4)]


def curves(histories: Histories) -> dict[str, list[list[float | None]]]:
    """Draw the loss, and give the points of each curve by its name."""
    return {series["name"]: series["data"] for series in draw(LOSS_PANEL, histories, growing=True)["series"]}


@pytest.mark.parametrize(
    ("situation", "histories", "training", "holdout"),
    [
        ("nothing logged", {}, [], []),
        ("training only", {LOSS: TRAINING}, [[1, 0.7], [2, 0.5], [3, 0.4]], []),
        ("an evaluation", {LOSS: TRAINING, EVALUATION_LOSS: [Point(2, 0.6)]}, [[1, 0.7], [2, 0.5], [3, 0.4]], [[2, 0.6]]),
        (
            "a gap where it is no number",
            {LOSS: BROKEN},
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
    training, holdout = draw(LOSS_PANEL, {LOSS: TRAINING, EVALUATION_LOSS: TRAINING}, growing=True)["series"]
    assert (training["showSymbol"], holdout["showSymbol"]) == (False, True)


def test_a_single_point_is_marked() -> None:
    assert draw(LOSS_PANEL, {LOSS: TRAINING[:1]}, growing=True)["series"][0]["showSymbol"]


def test_only_a_curve_that_has_ended_can_be_zoomed() -> None:
    assert [bool(draw(LOSS_PANEL, {}, growing)["dataZoom"]) for growing in (True, False)] == [False, True]


def test_accuracy_is_drawn_between_zero_and_one() -> None:
    accuracy = next(panel for panel in PREFERENCE_PANELS if panel.title == "Reward accuracy")
    axis = draw(accuracy, {}, growing=True)["yAxis"]
    assert (axis["min"], axis["max"]) == (0, 1)


def test_chosen_and_rejected_share_a_chart() -> None:
    assert (REWARD_CHOSEN, REWARD_REJECTED) in [panel.metrics for panel in PANELS["dpo"]]


@pytest.mark.parametrize("kind", PANELS)
def test_options_are_json_as_streamlit_demands(kind: str) -> None:
    for panel in PANELS[kind]:
        json.dumps(draw(panel, {metric: [Point(1, math.nan)] for metric in panel.metrics}, growing=True), allow_nan=False)


@pytest.mark.parametrize(
    ("history", "said"),
    [
        ([], "no points yet"),
        (TRAINING, "training 0.4 at step 3 (3 points)"),
        ([Point(1, 1.0), Point(2, math.nan)], "training nan at step 2 (2 points), not a number at 1 steps from 2"),
        ([Point(step, 1.0) for step in range(5_000)], "training 1 at step 4,999 (800 of 5,000 points, every peak kept)"),
    ],
)
def test_what_a_chart_says_in_words(history: list[Point], said: str) -> None:
    assert describe(LOSS_PANEL, {LOSS: history}) == said
