"""The pages of runs whose first stage asks a teacher and writes rows, and has no loss."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.metrics import LOSS, left_out_of, unanswered_of
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.cache import Known
from compared_jobs import distill, feedback, sft
from opened_pages import page, page_at, shown_names, words

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
STEPS = (0, 60, 100)
COUNTS = {
    metrics.ROWS_WRITTEN: 92.0,
    metrics.ROWS_LEFT_OUT: 8.0,
    metrics.REQUESTS: 118.0,
    metrics.PROMPT_TOKENS: 4_000.0,
    metrics.ANSWER_TOKENS: 61_000.0,
    metrics.COST: 0.42,
    metrics.UNANSWERED: 7.0,
}
REASONS = {unanswered_of("Timeout"): 7.0, left_out_of("cut"): 8.0}
PROGRESS = {
    "step": 100,
    "totalSteps": 400,
    "percent": 25,
    "secondsLeft": 600,
    "updatedTime": datetime.now(UTC).isoformat(),
    "metrics": COUNTS,
}
STATUS = {
    "phase": "Running",
    "currentStage": "distill",
    "stages": [{"name": "distill", "state": "Running", "attempts": 1, "progress": PROGRESS}],
}


@pytest.fixture
def asking(write_job: JobWriter, log_run: RunLogger) -> None:
    """Write two runs whose teacher answers."""
    for name in ("one", "two"):
        write_job(name, STATUS, stages=[distill(), sft()])
        curves = {metric: [(step, value * step / 100) for step in STEPS] for metric, value in (COUNTS | REASONS).items()}
        log_run(f"uid-{name}", "distill", curves)


@pytest.mark.usefixtures("asking")
def test_the_head_says_what_was_asked_and_why_answers_are_missing() -> None:
    app = page("uid-one")
    shown = words(app)
    assert "100 of 400 rows" in shown
    for part in ("8 % left out (8 cut)", "118 requests", "65.0 k tokens", "cost 0.42", "7 unanswered (7 timeout)"):
        assert part in shown, part
    assert len(app.get("echarts_chart")) == 1
    assert "training" not in shown.lower()


def test_the_head_says_how_the_models_of_a_stage_that_asks_nobody_were_judged(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", {"phase": "Succeeded", "stages": [{"name": "feedback", "state": "Succeeded"}]}, stages=[feedback()])
    scores = {metrics.judged_score_of("large", aspect): score for aspect, score in (("Honesty", 4.5), ("Helpfulness", 4.0))}
    log_run("uid-one", "feedback", {name: [(100, value)] for name, value in {metrics.ROWS_WRITTEN: 9.0, **scores}.items()})
    shown = words(page("uid-one"))
    assert "large: 4.25 (" in shown
    assert "Honesty 4.50" in shown


@pytest.mark.usefixtures("asking")
def test_a_list_and_a_comparison_of_runs_without_a_loss() -> None:
    assert sorted(shown_names(page())) == ["one", "two"]
    app = page_at("app_pages/compare.py", jobs="uid-one,uid-two", stage="distill")
    assert len(app.get("echarts_chart")) == 1
    results = app.dataframe[-1].value
    assert list(results["Rows"]) == [92, 92]
    assert list(results["Cost"]) == [0.42, 0.42]


@pytest.mark.parametrize(
    ("stage", "rows", "shown"),
    [
        (distill(), [{"prompt": "Why?", "policy": "Because."}], ["Some of the rows that stage distill has written", "Because."]),
        (
            feedback(),
            [{"prompt": "Why?", "policy": "Because.", "chosen": "Because.", "rejected": "No."}],
            ["Some of the rows that stage feedback has written", "Chosen\n", "Rejected\n", "No."],
        ),
        (distill(), [], ["There are no samples yet. Stage distill shows some of its rows when a quarter of them is done."]),
    ],
    ids=["distill", "feedback", "none yet"],
)
def test_rows_that_a_stage_has_written_can_be_read(
    write_job: JobWriter,
    monkeypatch: pytest.MonkeyPatch,
    log_run: RunLogger,
    stage: dict[str, Any],
    rows: list[dict[str, Any]],
    shown: list[str],
) -> None:
    write_job("one", {"phase": "Running", "stages": [{"name": stage["name"], "state": "Running"}]}, stages=[stage])
    log_run("uid-one", stage["name"], {LOSS: []})
    known = [{"step": 100, "key": f"key-{number}", **row} for number, row in enumerate(rows)]
    monkeypatch.setattr(cache, "samples", lambda _, __: Known(known, None, datetime.now(UTC)))
    text = words(page("uid-one", tab="Samples")) + "\n"
    assert [part for part in shown if part not in text] == []
