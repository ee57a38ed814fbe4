"""Why a run is as it is: one line, the next step, and nothing twice."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.spec.status import AlignmentJobStatus
from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.facts.next_step import _STEPS, next_step
from alignment_dashboard.facts.one_run.cause import LINE_LENGTH, causes_of
from alignment_dashboard.facts.status import SILENT, UNSEEN
from builders import a_job

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GUIDANCE = Guidance("", "", "", "", "", None, lambda _job, stage: f"Look at {stage}.")
LONG = "rank 3 ran out of memory at step 17; " * 100
FAILED = {"phase": "Failed", "reason": "OutOfMemory", "message": LONG}

ENDED_WELL = {"name": "sft", "state": "Succeeded", "reason": "Completed", "message": "the stage is done"}


def causes(**status: Any) -> list[tuple[str, str, str, str | None]]:
    job = a_job(status=AlignmentJobStatus.parse(status))
    return [(cause.reason, cause.line, cause.step, cause.whole) for cause in causes_of(job, NOW, GUIDANCE)]


@pytest.mark.parametrize(
    ("situation", "status", "expected"),
    [
        ("nothing to say", {"phase": "Running", "reason": "Training", "message": "sft is running"}, []),
        ("it has ended well", {"phase": "Succeeded", "reason": "Succeeded", "message": "all stages have ended"}, []),
        ("no status yet", {}, []),
        (
            "its first stage has ended well",
            {"phase": "Running", "reason": "Training", "message": "dpo is running", "stages": [ENDED_WELL]},
            [],
        ),
        (
            "all its stages have ended well",
            {"phase": "Succeeded", "reason": "Completed", "message": "all 2 stages succeeded", "stages": [ENDED_WELL]},
            [],
        ),
        (
            "it waits",
            {"phase": "Queued", "reason": "Queued", "message": "sft: no room"},
            [("Queued", "sft: no room", "check the queue: kubectl get workloads", None)],
        ),
        (
            "a stage says why in words of its own",
            {
                "phase": "Restarting",
                "reason": "Restarting",
                "message": "sft starts again",
                "stages": [{"name": "sft", "state": "Restarting", "reason": "Evicted", "message": "its node is gone"}],
            },
            [
                ("Restarting", "sft starts again", "nothing to do: it starts again by itself", None),
                ("Evicted", "its node is gone", "nothing to do: it resumes from its last checkpoint by itself", None),
            ],
        ),
        (
            "a stage repeats the run's message",
            {
                **FAILED,
                "message": "no room",
                "stages": [{"name": "sft", "state": "Failed", "reason": "DiskFull", "message": "no room"}],
            },
            [("OutOfMemory", "no room", "lower microBatchSize or maxLength, raise sharding, or use an adapter", None)],
        ),
        (
            "a failure without a message",
            {"phase": "Failed"},
            [("Failed", "The status has no message; read the logs of the operator.", "read the log", None)],
        ),
    ],
)
def test_causes(situation: str, status: dict[str, Any], expected: list[tuple[str, str, str, str | None]]) -> None:
    assert causes(**status) == expected, situation


def test_a_long_message_is_one_line_and_the_whole_is_kept_once() -> None:
    ((_, line, _, whole),) = causes(
        **FAILED, stages=[{"name": "sft", "state": "Failed", "reason": "OutOfMemory", "message": LONG}]
    )
    assert len(line) <= LINE_LENGTH and "\n" not in line and line.endswith("at step 17")
    assert whole == LONG


@pytest.mark.parametrize("reason", _STEPS)
def test_the_page_about_reasons_explains_each(reason: str) -> None:
    page = Path(__file__).parents[4] / "docs" / "troubleshooting.md"
    assert reason in (SILENT, UNSEEN) or reason in page.read_text(encoding="utf-8")
    assert next_step(reason, "Failed")
