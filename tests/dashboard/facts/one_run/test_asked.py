"""What a run has asked of teachers and judges, in lines."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.metrics import left_out_of, unanswered_of
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.one_run.asked import asked_by
from compared_jobs import distill, job, sft

MOMENT = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
ROWS = {metrics.ROWS_WRITTEN: 90.0, metrics.ROWS_LEFT_OUT: 10.0, metrics.REQUESTS: 130.0, metrics.UNANSWERED: 7.0}


def reporting(**of_stages: dict[str, float]) -> AlignmentJob:
    """Make a job whose stages distill and sft report these values."""
    stages: list[dict[str, Any]] = []
    for name in ("distill", "sft"):
        values = of_stages.get(name)
        progress = {"step": 100, "totalSteps": 400, "percent": 25, "updatedTime": MOMENT, "metrics": values}
        stages.append({"name": name, "state": "Running"} | ({} if values is None else {"progress": progress}))
    return job("one", distill(), sft(), status={"phase": "Running", "stages": stages})


@pytest.mark.parametrize(
    ("of_stages", "latest", "lines"),
    [
        ({}, {}, []),
        ({"sft": {metrics.LOSS: 1.0}}, {}, []),
        ({"distill": ROWS}, {}, ["distill: 100 of 400 rows, 10 % left out  ·  130 requests  ·  7 unanswered"]),
        (
            {"distill": ROWS, "sft": {metrics.LOSS: 1.0}},
            {
                "distill": {
                    unanswered_of("RateLimited"): 5.0,
                    unanswered_of("Timeout"): 2.0,
                    unanswered_of("Refused"): 0.0,
                    left_out_of("no_question"): 3.0,
                    left_out_of("cut"): 7.0,
                    metrics.ROWS_LEFT_OUT: 10.0,
                }
            },
            [
                "distill: 100 of 400 rows, 10 % left out (7 cut, 3 no question)  ·  130 requests"
                "  ·  7 unanswered (5 rate limited, 2 timeout)"
            ],
        ),
        (
            {"sft": {metrics.LOSS: 0.6, metrics.ROUND: 2.0, metrics.REQUESTS: 65.0}},
            {"sft": {left_out_of("identical"): 13.0}},
            ["sft: round 2 ended  ·  65 requests  ·  left out: 13 identical"],
        ),
    ],
    ids=["nothing yet", "a stage that trains", "before MLflow is read", "with reasons", "rounds"],
)
def test_a_line_for_each_stage_that_asks(
    of_stages: dict[str, dict[str, float]], latest: Mapping[str, Mapping[str, float]], lines: list[str]
) -> None:
    assert [f"{asked.stage}: {asked.line}" for asked in asked_by(reporting(**of_stages), latest)] == lines
