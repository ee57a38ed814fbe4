"""What `alignment run` prints about stages that train, and about those whose steps are rows."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.names import METRICS_FILE
from alignment_api.spec.status import AlignmentJobStatus, Progress, StageStatus
from alignment_operator.machine.terminal import TerminalView, summary_table
from builders import NOW, a_job, later
from rich.console import Console

ROWS = {
    metrics.ROWS_WRITTEN: 117,
    metrics.ROWS_LEFT_OUT: 3,
    metrics.REQUESTS: 130,
    metrics.PROMPT_TOKENS: 7_000,
    metrics.ANSWER_TOKENS: 8_400,
    metrics.COST: 0.125,
    metrics.UNANSWERED: 2,
}
LINES: list[tuple[str, dict[str, float], dict[str, Any], str]] = [
    ("training", {metrics.LOSS: 1.25, metrics.REWARD_MARGIN: 0.5}, {}, "a: running  120/200  loss 1.25  margin 0.5  1m20s left"),
    (
        "rows",
        ROWS,
        {},
        "a: running  120 of 200 rows, 2 % left out  130 requests  15.4 k tokens  cost 0.12  2 unanswered  1m20s left",
    ),
    ("rows of nobody", {metrics.ROWS_WRITTEN: 120, metrics.ROWS_LEFT_OUT: 0}, {}, "a: running  120 of 200 rows  1m20s left"),
    (
        "a measurement",
        {metrics.ROWS_WRITTEN: 120},
        {"reason": "MeasuringRows", "message": "measuring dpo on arc: 40 of 100 rows, 120 of 200 rows"},
        "a: running  measuring dpo on arc: 40 of 100 rows, 120 of 200 rows  1m20s left",
    ),
    (
        "a budget that is spent",
        {metrics.ROWS_WRITTEN: 120, metrics.REQUESTS: 130},
        {"state": "Failed", "reason": "BudgetSpent", "message": "raise budget.requests"},
        "a: failed  120 of 200 rows  130 requests  raise budget.requests",
    ),
]


def a_status(values: dict[str, float], **others: Any) -> AlignmentJobStatus:
    progress = Progress(step=120, total_steps=200, percent=60, seconds_left=80, updated_time=NOW, metrics=values)
    return AlignmentJobStatus(stages=[StageStatus(**{"name": "a", "state": "Running", "progress": progress, **others})])


@pytest.mark.parametrize(("values", "others", "line"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_a_line_of_a_stage(values: dict[str, float], others: dict[str, Any], line: str) -> None:
    output = io.StringIO()
    with TerminalView(Console(file=output)) as view:
        view.show(a_status(values, **others))
    assert output.getvalue() == f"{line}\n"


def test_lines_of_stages_side_by_side_name_their_stage_and_one_that_cannot_run_any_more_has_one() -> None:
    output = io.StringIO()
    progress = Progress(step=5, total_steps=10, percent=50, seconds_left=60, updated_time=NOW, metrics={metrics.LOSS: 1})
    runs = {"state": "Running", "progress": progress}
    lost = {"state": "Waiting", "reason": "BuildsOnFailedStage", "message": "it builds on a, which failed"}
    with TerminalView(Console(file=output)) as view:
        view.show(AlignmentJobStatus(stages=[StageStatus(name="a", **runs), StageStatus(name="b", **runs)]))
        failed = StageStatus(name="a", state="Failed", message="no rows")
        waits = StageStatus(name="d", state="Waiting", message="ready, but parallelStages (2) lets no other stage run now")
        view.show(AlignmentJobStatus(stages=[failed, StageStatus(name="b", **runs), StageStatus(name="c", **lost), waits]))
    assert output.getvalue().splitlines() == [
        "a: running  5/10  loss 1  1m left",
        "b: running  5/10  loss 1  1m left",
        "a: failed  no rows",
        "c: waiting  it builds on a, which failed",
    ]


def test_the_sum_of_a_stage_of_rounds_says_each_win_rate_once(tmp_path: Path) -> None:
    round_ended = {metrics.ROUND: 2.0, metrics.ROUND_WIN_RATE: 0.75}
    (tmp_path / METRICS_FILE).write_text(json.dumps({"time": 1, "step": 8, "metrics": round_ended}) + "\n")
    job = a_job().model_copy(update={"status": a_status({metrics.LOSS: 0.6, metrics.REQUESTS: 9, **round_ended})})
    output = io.StringIO()
    Console(file=output, width=120).print(summary_table(job, {"a": tmp_path}))
    shown = output.getvalue()
    assert "round 2: win rate 0.750" in shown
    assert "9 requests" in shown
    assert shown.count("win rate") == shown.count("round ") == 1


def test_the_sum_of_a_stage_that_wrote_rows(tmp_path: Path) -> None:
    status = a_status(ROWS, state="Succeeded", start_time=NOW, completion_time=later(90))
    job = a_job().model_copy(update={"status": status})
    output = io.StringIO()
    Console(file=output, width=120).print(summary_table(job, {"a": tmp_path}))
    shown = output.getvalue()
    for words in ("120/200", "120 of 200 rows, 2 % left out", "130 requests", "15.4 k tokens", "cost 0.12", "2 unanswered"):
        assert words in shown
