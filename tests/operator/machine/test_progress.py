"""Progress and signs of life of a local attempt, from the files in its stage's folder."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.heartbeat import Activity
from alignment_api.spec.status import TrackingStatus
from alignment_operator.machine.progress import KnownRuns, read_stage, tracking_of
from builders import NOW, a_child, a_job, later

LEFT = {"progress/seconds_left": 9.0}
RUNNING = a_child(a_job(), "sft", "Running", attempt=2)
BEFORE, SINCE = later(-60), later(60)


def point(seconds: float, step: int, **values: float) -> dict[str, Any]:
    return {"time": int(later(seconds).timestamp() * 1000), "step": step, "metrics": {"progress/total_steps": 50.0, **values}}


def again(seconds: float, step: int) -> dict[str, Any]:
    """A step that an earlier attempt has measured."""
    return {**point(seconds, step), "metrics": {}, "progress": {"progress/total_steps": 50.0, **LEFT}}


def write(stage: Path, points: list[dict[str, Any]], activity: Activity | None = None) -> Path:
    (stage / "metrics.jsonl").write_text("".join(json.dumps(known) + "\n" for known in points))
    if activity:
        (stage / "activity.json").write_text(activity.model_dump_json(by_alias=True))
    return stage


STEPS: list[tuple[str, list[dict[str, Any]], bool]] = [
    ("no points yet", [], False),
    ("only an earlier attempt has trained", [point(-60, 8, **LEFT)], False),
    ("it is still preparing", [point(-60, 8, **LEFT), point(30, 8)], False),
    ("it trains steps again that an earlier attempt trained", [point(30, 8, **LEFT)], True),
    ("and measures nothing that is new", [point(-60, 8, **LEFT), again(30, 8)], True),
]


@pytest.mark.parametrize(("points", "has_stepped"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS])
def test_whether_this_attempt_has_trained_a_step(points: list[dict[str, Any]], has_stepped: bool, tmp_path: Path) -> None:
    pulse = read_stage(write(tmp_path, points), RUNNING, SINCE).pulse
    assert pulse is not None
    assert (pulse.attempt, pulse.heard_time, pulse.has_stepped) == (2, SINCE, has_stepped)


@pytest.mark.parametrize(
    ("time", "doing"), [(SINCE, "hashing weights: 3 of 9 files"), (BEFORE, None)], ids=["now", "left by an earlier attempt"]
)
def test_the_activity_besides_training_steps(time: Any, doing: str | None, tmp_path: Path) -> None:
    activity = Activity(what="hashing weights", done=3, total=9, unit="files", time=time)
    files = read_stage(write(tmp_path, [point(30, 8)], activity), RUNNING, later(90))
    assert files.pulse is not None and files.progress is not None
    assert files.pulse.doing == doing
    assert files.progress.updated_time == (time if doing else NOW + timedelta(seconds=30))


@pytest.mark.parametrize(("written", "found"), [(None, ()), ('["a sentence"]', ("a sentence",))])
def test_what_the_training_shows(written: str | None, found: tuple[str, ...], tmp_path: Path) -> None:
    if written:
        (tmp_path / "warnings.json").write_text(written)
    pulse = read_stage(write(tmp_path, [point(30, 8)]), RUNNING, SINCE).pulse
    assert pulse is not None and pulse.warnings == found


def test_steps_that_are_trained_again_are_progress(tmp_path: Path) -> None:
    found = read_stage(write(tmp_path, [point(-60, 8, **{metrics.LOSS: 0.5}), again(30, 8)]), RUNNING, SINCE).progress
    assert found is not None
    assert (found.updated_time, found.step, found.total_steps, found.seconds_left) == (NOW + timedelta(seconds=30), 8, 50, 9)
    assert found.metrics == {metrics.LOSS: 0.5}


@pytest.mark.parametrize(("seconds", "left"), [(-60, None), (30, 9)], ids=["an earlier attempt", "this attempt"])
def test_only_this_attempt_says_how_much_time_is_left(seconds: int, left: int | None, tmp_path: Path) -> None:
    found = read_stage(write(tmp_path, [point(seconds, 8, **LEFT)]), RUNNING, SINCE).progress
    assert found is not None and (found.step, found.seconds_left) == (8, left)


def test_a_stage_that_does_not_run_has_no_pulse(tmp_path: Path) -> None:
    files = read_stage(write(tmp_path, [point(30, 8)]), None, SINCE)
    assert (files.pulse, files.progress.step if files.progress else None) == (None, 8)


def shipped(folder: Path, text: str, time: float = 1.0) -> KnownRuns | None:
    folder.mkdir(exist_ok=True)
    (folder / "shipped.json").write_text(text)
    os.utime(folder / "shipped.json", (time, time))
    return read_stage(folder, None, SINCE).runs


IDS = {"run_id": "r1", "experiment_id": "7", "job_run_id": "j1", "offset": 9}


@pytest.mark.parametrize(
    ("written", "run_id", "tracking"),
    [
        (IDS, "r1", TrackingStatus(experiment_id="7", run_id="j1")),
        # A trainer of an earlier version records less.
        ({"run_id": "r1", "offset": 9}, "r1", None),
        ({}, None, None),
        ({**IDS, "run_id": "r" * 65}, None, None),
    ],
)
def test_the_runs_that_a_stage_is_shipped_to(
    written: dict[str, Any], run_id: str | None, tracking: TrackingStatus | None, tmp_path: Path
) -> None:
    found = shipped(tmp_path, json.dumps(written))
    assert (found.ids.run_id if found else None) == run_id
    assert tracking_of([found] if found else []) == tracking


def test_the_run_of_the_job_is_that_of_its_newest_settings(tmp_path: Path) -> None:
    for newest in ("sft", "dpo"):
        known = [
            shipped(tmp_path / stage, json.dumps({**IDS, "job_run_id": stage}), time=2.0 if stage == newest else 1.0)
            for stage in ("sft", "dpo")
        ]
        found = tracking_of([runs for runs in known if runs])
        assert found is not None and found.run_id == newest
