"""A job's status in words: a table of situations."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from alignment_api.metrics import LOSS
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Phase, StageState
from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.facts.status import (
    BADGES,
    attention,
    current_stage,
    gpu_hours,
    percent_of,
    phase_of,
    time_left,
    write_reason,
    write_stages,
)

SPEC: dict[str, Any] = {"model": {"uri": "workspace://model"}, "stages": [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}]}
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


GUIDANCE = Guidance("", "", "", "", "", "Is the operator there?", lambda job, stage: f"Ask {job.metadata.name}-{stage}.")


def ago(**time: float) -> str:
    """Write a moment before now."""
    return (NOW - timedelta(**time)).isoformat()


def made(status: dict[str, Any] | None, **spec: Any) -> AlignmentJob:
    """Make a job of two stages."""
    document = {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": {"name": "one"},
        "spec": {"model": {"uri": "workspace://model"}, "stages": [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}]}
        | spec,
    }
    return AlignmentJob.parse(document | ({"status": status} if status else {}))


def progress(percent: int, updated: str, **metrics: float) -> dict[str, Any]:
    """Make a stage's progress."""
    return {"step": percent, "totalSteps": 100, "percent": percent, "updatedTime": updated} | (
        {"metrics": metrics} if metrics else {}
    )


SFT_DONE = {"name": "sft", "state": "Succeeded", "progress": progress(100, ago(hours=1), **{LOSS: 1.5})}


def dpo(state: str = "Running", updated: str = "", /, **metrics: float) -> dict[str, Any]:
    """Make a dpo stage that runs."""
    return {
        "name": "dpo",
        "state": state,
        "startTime": ago(hours=1),
        "progress": progress(62, updated or ago(seconds=5), **metrics),
    }


def test_every_phase_and_state_has_a_sign_a_word_and_a_colour() -> None:
    assert {*get_args(Phase), *get_args(StageState)} == set(BADGES)
    assert len({badge.sign for badge in BADGES.values()}) == len(BADGES)


@pytest.mark.parametrize(
    ("status", "written"),
    [
        (None, "○ sft  →  ○ dpo"),
        ({"stages": [SFT_DONE]}, "✓ sft  →  ○ dpo"),
        ({"stages": [SFT_DONE, dpo()]}, "✓ sft  →  ▶ dpo 62%"),
        ({"stages": [SFT_DONE, dpo("Failed")]}, "✓ sft  →  ✕ dpo"),
    ],
)
def test_stages_in_one_line(status: dict[str, Any] | None, written: str) -> None:
    assert write_stages(made(status)) == written


@pytest.mark.parametrize(
    ("status", "percent"),
    [
        (None, None),
        ({"progress": "62%"}, 62),
        ({"progress": "many"}, None),
        ({"phase": "Succeeded"}, 100),
        ({"progress": "250%"}, 100),
    ],
)
def test_percent(status: dict[str, Any] | None, percent: int | None) -> None:
    assert percent_of(made(status)) == percent


@pytest.mark.parametrize(
    ("status", "left"),
    [
        (None, None),
        ({"phase": "Succeeded", "eta": "1h"}, None),
        ({"phase": "Running"}, None),
        ({"phase": "Running", "eta": "1h12m"}, "1h12m"),
        ({"phase": "Running", "eta": "9h", "estimatedCompletionTime": ago(minutes=-72)}, "1h12m"),
        ({"phase": "Running", "estimatedCompletionTime": ago(minutes=1)}, "any moment"),
        ({"phase": "Running", "eta": "1h12m", "stages": [dpo("Running", ago(minutes=40))]}, None),
    ],
)
def test_time_left_is_counted_from_now(status: dict[str, Any] | None, left: str | None) -> None:
    assert time_left(made(status), NOW) == left


@pytest.mark.parametrize(
    ("situation", "status", "reason"),
    [
        ("no status yet", None, None),
        ("runs well", {"phase": "Running", "currentStage": "dpo", "stages": [SFT_DONE, dpo()]}, None),
        ("done", {"phase": "Succeeded"}, None),
        ("failed", {"phase": "Failed", "reason": "BadData", "message": "line 17"}, "BadData"),
        ("failed without a message", {"phase": "Failed"}, "Failed"),
        ("tries again", {"phase": "Restarting", "reason": "Defect", "message": "in 10s"}, "Defect"),
        ("silent", {"phase": "Running", "currentStage": "dpo", "stages": [SFT_DONE, dpo("Running", ago(minutes=31))]}, "Silent"),
        (
            "silent, since it prepares",
            {"phase": "Running", "stages": [SFT_DONE, {**dpo("Running", ago(minutes=31)), "reason": "Preparing"}]},
            None,
        ),
        ("an edit that cannot run", {"phase": "Running", "reason": "InvalidSpec", "message": "spec.recipe"}, "InvalidSpec"),
        ("progress unknown", {"phase": "Running", "reason": "ProgressUnknown", "stages": [dpo()]}, "ProgressUnknown"),
        (
            "silent, but ended",
            {"phase": "Succeeded", "stages": [SFT_DONE, dpo("Succeeded", ago(days=3))]},
            None,
        ),
    ],
)
def test_attention(situation: str, status: dict[str, Any] | None, reason: str | None) -> None:
    found = attention(made(status), NOW, GUIDANCE)
    assert (found.reason if found else None) == reason, situation


def test_a_silent_stage_comes_with_what_to_do_and_whole_minutes() -> None:
    job = made({"phase": "Running", "stages": [dpo("Running", ago(minutes=31, seconds=9))]})
    found = attention(job, NOW, GUIDANCE)
    assert found is not None
    assert found.message == "Stage dpo has reported no progress for 31m. Ask one-dpo."


@pytest.mark.parametrize(
    ("situation", "status", "age", "unseen", "reason"),
    [
        ("created just now", None, 59, "Look.", None),
        ("created a while ago", None, 61, "Look.", "Unseen"),
        ("without an operator", None, 61, None, None),
        ("seen", {"phase": "Pending"}, 61, "Look.", None),
    ],
)
def test_a_job_that_the_operator_has_not_seen(
    situation: str, status: dict[str, Any] | None, age: int, unseen: str | None, reason: str | None
) -> None:
    job = made(status)
    job.metadata.creation_timestamp = NOW - timedelta(seconds=age)
    found = attention(job, NOW, GUIDANCE._replace(unseen=unseen))
    assert (found.reason if found else None) == reason, situation


@pytest.mark.parametrize(
    ("reason", "message", "written"),
    [(None, None, ""), ("Queued", None, "Queued"), (None, "waits", "waits"), ("Queued", "waits", "Queued: waits")],
)
def test_reasons(reason: str | None, message: str | None, written: str) -> None:
    assert write_reason(reason, message) == written


def test_the_job_sets_how_long_a_stage_may_be_silent() -> None:
    job = made({"phase": "Running", "stages": [dpo("Running", ago(minutes=31))]}, restart={"stallTimeoutSeconds": 7200})
    assert attention(job, NOW, GUIDANCE) is None


def test_a_job_without_status_is_pending() -> None:
    assert phase_of(made(None)) == "Pending"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (None, None),
        ({"stages": [SFT_DONE]}, "sft"),
        ({"stages": [SFT_DONE, dpo()]}, "dpo"),
        ({"currentStage": "sft", "stages": [SFT_DONE, dpo()]}, "sft"),
    ],
)
def test_current_stage(status: dict[str, Any] | None, name: str | None) -> None:
    stage = current_stage(made(status))
    assert (stage.name if stage else None) == name


def running_for_an_hour(attempts: int) -> dict[str, Any]:
    return {"name": "sft", "state": "Running", "attempts": attempts, "startTime": ago(hours=1)}


@pytest.mark.parametrize(
    ("situation", "status", "hours"),
    [
        ("nothing known", {}, None),
        ("counted attempts", {"gpus": 8, "gpuSeconds": 7_200}, 2.0),
        ("a first attempt that runs", {"gpus": 8, "gpuSeconds": 7_200, "stages": [running_for_an_hour(1)]}, 10.0),
        ("a later attempt, whose start is not known", {"gpus": 8, "gpuSeconds": 7_200, "stages": [running_for_an_hour(2)]}, 2.0),
    ],
)
def test_gpu_hours(situation: str, status: dict[str, Any], hours: float | None) -> None:
    assert gpu_hours(made(status), NOW) == hours, situation
