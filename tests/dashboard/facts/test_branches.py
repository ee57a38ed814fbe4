"""What the pages say of a job whose stages branch."""

from datetime import timedelta
from typing import Any

import pytest
from alignment_api.resolving.record import settle
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus
from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.facts.branches import Branch, branches_of, depths, is_chain
from alignment_dashboard.facts.one_run.cause import causes_of
from alignment_dashboard.facts.status import attention, current_stage, current_stages, gpu_hours, time_left, write_stages
from branching_jobs import BRANCHES, DIAMOND, branching
from builders import NOW, a_job

GUIDANCE = Guidance("", "", "", "", "", None, lambda _job, stage: f"Look at {stage}.")
EIGHT = {"nodes": 1, "gpusPerNode": 8}


def job_with(status: dict[str, Any], stages: list[dict[str, Any]] = BRANCHES, **spec: Any) -> AlignmentJob:
    return branching(stages, 2, status=AlignmentJobStatus.parse(status), **spec)


def runs(name: str, percent: int = 10, minutes_ago: float = 0, **others: Any) -> dict[str, Any]:
    updated = (NOW - timedelta(minutes=minutes_ago)).isoformat()
    progress = {"step": percent, "totalSteps": 100, "percent": percent, "updatedTime": updated}
    return {"name": name, "state": "Running", "attempts": 1, "progress": progress, "startTime": updated, **others}


DONE = {"name": "sft", "state": "Succeeded"}
TWO = {"phase": "Running", "reason": "Training", "currentStage": "dpo-a, dpo-b", "gpus": 12}
FAILED = {"name": "dpo-a", "state": "Failed", "reason": "BadData", "message": "line 3: no answer"}
LOST = {"name": "dpo", "state": "Waiting", "reason": "BuildsOnFailedStage", "message": "it builds on judge, which failed"}


def test_what_each_stage_builds_on_and_uses() -> None:
    job = branching([*BRANCHES[:2], {**BRANCHES[2], "compute": {"gpusPerNode": 4}}, BRANCHES[3]], compute=EIGHT)
    assert branches_of(job) == {
        "sft": Branch((), 8),
        "dpo-a": Branch(("sft",), 8),
        "dpo-b": Branch(("sft",), 4),
        "raw": Branch((), 8),
    }
    assert [is_chain(each) for each in (a_job(), job, branching(DIAMOND))] == [True, False, False]


def test_the_recorded_spec_counts_and_one_of_another_version_leaves_the_stages_in_a_row() -> None:
    recipe = a_job(recipe="zephyr-paper", model=None, stages=None, compute=EIGHT)
    assert (depths(recipe), write_stages(recipe)) == (None, "–")
    record = settle(recipe).record
    assert depths(a_job(recipe="zephyr-paper", stages=None, status=AlignmentJobStatus(record=record))) == {"sft": 0, "dpo": 1}
    unreadable = record.model_copy(update={"resolved": "{"})
    assert depths(a_job(recipe="zephyr-paper", stages=None, status=AlignmentJobStatus(record=unreadable))) is None


LINES: list[tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = [
    (BRANCHES, [], "○ sft, ○ raw  →  ○ dpo-a, ○ dpo-b"),
    (BRANCHES, [DONE, runs("dpo-a", 62), runs("dpo-b", 30)], "✓ sft, ○ raw  →  ▶ dpo-a 62%, ▶ dpo-b 30%"),
    (DIAMOND, [], "○ teach  →  ○ sft, ○ judge  →  ○ dpo"),
]


@pytest.mark.parametrize(("stages", "seen", "line"), LINES)
def test_stages_in_one_line(stages: list[dict[str, Any]], seen: list[dict[str, Any]], line: str) -> None:
    assert write_stages(job_with({"stages": seen}, stages)) == line


def test_the_current_stages_and_the_one_that_a_page_opens_with() -> None:
    waits = {"name": "dpo-a", "state": "Queued"}
    job = job_with({**TWO, "stages": [DONE, waits, runs("dpo-b")]})
    assert [stage.name for stage in current_stages(job)] == ["dpo-a", "dpo-b"]
    opened = current_stage(job)
    assert opened is not None and opened.name == "dpo-b"


def test_gpu_hours_are_those_of_each_stage_that_runs() -> None:
    stages = [*BRANCHES[:2], {**BRANCHES[2], "compute": {"gpusPerNode": 4}}, BRANCHES[3]]
    job = job_with(
        {**TWO, "gpuSeconds": 3600, "stages": [DONE, runs("dpo-a", 10, 60), runs("dpo-b", 10, 30)]}, stages, compute=EIGHT
    )
    assert gpu_hours(job, NOW) == 1 + 8 * 1 + 4 * 0.5


ATTENTION: list[tuple[str, list[dict[str, Any]], tuple[str, str] | None]] = [
    ("all is well", [DONE, runs("dpo-a"), runs("dpo-b")], None),
    ("one failed, one runs", [DONE, FAILED, runs("dpo-b")], ("BadData", "dpo-a: line 3: no answer")),
    (
        "one is tried again, one runs",
        [DONE, {**FAILED, "state": "Restarting", "reason": "Evicted"}, runs("dpo-b")],
        ("Evicted", "dpo-a: line 3: no answer"),
    ),
    (
        "one cannot be observed",
        [DONE, runs("dpo-a"), runs("dpo-b", reason="ProgressUnknown", message="no answer")],
        ("ProgressUnknown", "dpo-b: no answer"),
    ),
    (
        "the second is silent",
        [DONE, runs("dpo-a"), runs("dpo-b", 10, 45)],
        ("Silent", "Stage dpo-b has reported no progress for 45m. Look at dpo-b."),
    ),
]


@pytest.mark.parametrize(("stages", "expected"), [row[1:] for row in ATTENTION], ids=[row[0] for row in ATTENTION])
def test_attention(stages: list[dict[str, Any]], expected: tuple[str, str] | None) -> None:
    found = attention(job_with({**TWO, "stages": stages}), NOW, GUIDANCE)
    assert (found and (found.reason, found.message)) == expected


def test_a_failure_is_told_once_and_what_waits_for_it_beside_its_stage() -> None:
    message = "sft is running; judge: no rows"
    failed = {"name": "judge", "state": "Failed", "reason": "BadData", "message": "no rows"}
    stages = [{"name": "teach", "state": "Succeeded"}, runs("sft"), failed, LOST]
    job = job_with(
        {"phase": "Running", "reason": "Training", "message": message, "currentStage": "sft", "stages": stages}, DIAMOND
    )
    assert [(cause.reason, cause.line) for cause in causes_of(job, NOW, GUIDANCE)] == [("BadData", "judge: no rows")]


def test_no_time_is_left_to_show_while_a_stage_is_silent() -> None:
    status = {**TWO, "estimatedCompletionTime": (NOW + timedelta(hours=1)).isoformat()}
    assert time_left(job_with({**status, "stages": [DONE, runs("dpo-a"), runs("dpo-b")]}), NOW) == "1h"
    assert time_left(job_with({**status, "stages": [DONE, runs("dpo-a"), runs("dpo-b", 10, 45)]}), NOW) is None
