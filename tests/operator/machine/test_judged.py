"""How models were judged and why rows were left out, as `alignment run` sums it up."""

import json
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_api.names import METRICS_FILE
from alignment_operator.machine.judged import judged_lines

ENDED = {
    metrics.ROUND: 1.0,
    metrics.ROWS_WRITTEN: 240.0,
    metrics.left_out_of("Identical"): 16.0,
    metrics.left_out_of("StudentEmpty"): 1.0,
}
FEEDBACK = {
    metrics.judged_score_of("large", "Honesty"): 4.5,
    metrics.judged_score_of("large", "Helpfulness"): 4.0,
    metrics.judged_score_of("large", "Overall"): 8.5,
    metrics.judged_score_of("small", "Overall"): 6.125,
}
SITUATIONS: list[tuple[str, list[tuple[int, dict[str, float]]], list[str]]] = [
    ("nothing yet", [], []),
    ("a stage that trains", [(1, {metrics.LOSS: 1.0})], []),
    (
        "rows that were left out",
        [
            (5, {metrics.left_out_of("CutAnswer"): 1.0}),
            (
                9,
                {
                    metrics.left_out_of("CutAnswer"): 2.0,
                    metrics.left_out_of("Tie"): 1200.0,
                    metrics.unanswered_of("EmptyAnswer"): 3.0,
                },
            ),
        ],
        ["left out: 1,200 Tie, 2 CutAnswer", "unanswered: 3 EmptyAnswer"],
    ),
    ("no row left out", [(5, {metrics.left_out_of("Tie"): 0.0})], []),
    (
        "judged answers: the overall rating has another scale, so it is no part of the mean",
        [(5, FEEDBACK)],
        ["large: 4.25 (Honesty 4.50, Helpfulness 4.00), Overall 8.50", "small: Overall 6.12"],
    ),
    (
        "rounds",
        [
            (0, ENDED),
            (8, {metrics.ROUND_WIN_RATE: 0.625, metrics.ROUND_WIN_RATE_ERROR: 0.044, metrics.ROUND_GAIN: 0.125}),
            (9, {metrics.LOSS: 0.5}),
            (8, {metrics.ROUND: 2.0, metrics.ROWS_WRITTEN: 200.0, metrics.left_out_of("Identical"): 56.0}),
            (16, {metrics.ROUND_WIN_RATE: 0.75}),
        ],
        [
            "round 1: 240 pairs, win rate 0.625 ± 0.044, gain 0.125; left out: 16 Identical, 1 StudentEmpty",
            "round 2: 200 pairs, win rate 0.750; left out: 56 Identical",
        ],
    ),
    ("a round without a judge", [(0, ENDED)], ["round 1: 240 pairs; left out: 16 Identical, 1 StudentEmpty"]),
]


@pytest.mark.parametrize(("points", "lines"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_the_lines_of_a_stage(points: list[tuple[int, dict[str, float]]], lines: list[str], tmp_path: Path) -> None:
    journal = "".join(json.dumps({"time": 1, "step": step, "metrics": values}) + "\n" for step, values in points)
    (tmp_path / METRICS_FILE).write_text(journal)
    assert judged_lines(tmp_path) == lines
