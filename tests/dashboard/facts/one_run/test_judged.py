"""How the models and rounds of a stage were judged, from what MLflow keeps."""

import pytest
from alignment_api import metrics
from alignment_dashboard.facts.one_run.judged import judged_lines
from alignment_dashboard.store.history import Histories, history_of

SCORES = {
    metrics.judged_score_of("large", "Honesty"): 4.5,
    metrics.judged_score_of("large", "Truthfulness"): 4.0,
    metrics.judged_score_of("large", "Overall"): 8.0,
    metrics.judged_score_of("small", "Honesty"): float("nan"),
}
ROUNDS = {
    metrics.ROUND: history_of([(0, 1.0, 10), (8, 2.0, 40)]),
    metrics.ROWS_WRITTEN: history_of([(0, 240.0, 10), (8, 200.0, 40)]),
    metrics.ROUND_WIN_RATE: history_of([(8, 0.625, 30), (16, 0.75, 60)]),
    metrics.ROUND_WIN_RATE_ERROR: history_of([(8, 0.044, 30)]),
    metrics.ROUND_GAIN: history_of([(8, 0.125, 30)]),
}


@pytest.mark.parametrize(
    ("latest", "histories", "lines"),
    [
        ({}, {}, []),
        ({metrics.LOSS: 1.0}, {metrics.ROWS_WRITTEN: history_of([(5, 5.0, 1)])}, []),
        (SCORES, {}, ["large: 4.25 (Honesty 4.50, Truthfulness 4.00), Overall 8.00"]),
        ({}, ROUNDS, ["round 1: 240 pairs, win rate 0.625 ± 0.044, gain 0.125", "round 2: 200 pairs, win rate 0.750"]),
    ],
    ids=["nothing yet", "no judge", "models", "rounds"],
)
def test_the_lines_of_a_stage(latest: dict[str, float], histories: Histories, lines: list[str]) -> None:
    assert judged_lines(latest, histories) == lines
