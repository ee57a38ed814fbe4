"""How the main metrics of a stage changed, from its journal."""

import json
from pathlib import Path

import pytest
from alignment_api import metrics
from alignment_operator.machine.metric_changes import Change, metric_changes


def test_the_first_and_the_last_number_of_each_main_metric(tmp_path: Path) -> None:
    assert metric_changes(tmp_path) == []
    points = [
        {metrics.EVALUATION_LOSS: 3.0, metrics.LEARNING_RATE: 0.1},
        {metrics.LOSS: 2.0},
        {metrics.LOSS: 1.0},
        {metrics.LOSS: float("nan"), metrics.EVALUATION_LOSS: 0.5},
    ]
    lines = [json.dumps({"time": step, "step": step, "metrics": values}) for step, values in enumerate(points)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"time": 5, "st')
    assert metric_changes(tmp_path) == [Change("loss", 2.0, 1.0), Change("held-out loss", 3.0, 0.5)]


@pytest.mark.parametrize(
    ("measured", "changes"),
    [
        ({}, []),
        ({metrics.ROUND: 1.0}, [Change("log-probability of chosen", -1.75, -2.5)]),
    ],
    ids=["one training", "rounds"],
)
def test_rounds_also_show_how_likely_the_chosen_answers_became(
    measured: dict[str, float], changes: list[Change], tmp_path: Path
) -> None:
    points = [measured, {metrics.LOGPS_CHOSEN: -1.75}, {metrics.LOGPS_CHOSEN: -2.5}]
    lines = [json.dumps({"time": step, "step": step, "metrics": values}) for step, values in enumerate(points)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, ""]))
    assert metric_changes(tmp_path) == changes
