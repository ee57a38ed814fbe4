"""Progress of pods and of MLflow becomes one report, with one sentence if both are silent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from alignment_api.spec.status import Progress
from alignment_operator.deciding.observation import FirstPod
from alignment_operator.progress.combined_progress import ProgressReader, newest_progress
from alignment_operator.progress.heartbeats import Heartbeats
from alignment_operator.progress.tracked_progress import TrackedProgress
from ports import free_port

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(step: int, seconds: int = 0) -> Progress:
    return Progress(step=step, total_steps=10, percent=step * 10, updated_time=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("situation", "pods", "tracked", "answering", "steps"),
    [
        ("no source", {}, {}, set(), {}),
        ("only the pod", {"sft": at(3)}, {}, {"sft"}, {"sft": 3}),
        ("only MLflow", {}, {"sft": at(3)}, set(), {"sft": 3}),
        ("the pod answers without steps", {}, {"sft": at(3)}, {"sft"}, {"sft": 3}),
        ("MLflow is behind", {"sft": at(3, 2)}, {"sft": at(2, 1)}, {"sft"}, {"sft": 3}),
        ("another pod writes ahead of the one that answers", {"sft": at(3, 2)}, {"sft": at(9, 9)}, {"sft"}, {"sft": 3}),
        ("the pod no longer answers", {"sft": at(3, 2)}, {"sft": at(5, 9)}, set(), {"sft": 5}),
        ("the pod's last answer is newer", {"sft": at(3, 2)}, {"sft": at(2, 1)}, set(), {"sft": 3}),
        ("both equally new", {"sft": at(3)}, {"sft": at(2)}, set(), {"sft": 3}),
        ("of different stages", {"dpo": at(1)}, {"sft": at(9, 9)}, {"dpo"}, {"sft": 9, "dpo": 1}),
    ],
)
def test_the_newest_progress_is_taken(
    situation: str, pods: dict[str, Progress], tracked: dict[str, Progress], answering: set[str], steps: dict[str, int]
) -> None:
    assert {stage: progress.step for stage, progress in newest_progress(pods, tracked, answering).items()} == steps, situation


def test_silence_of_both_sources_is_one_sentence() -> None:
    port = free_port()
    reader = ProgressReader(TrackedProgress(f"http://127.0.0.1:{free_port()}", None), Heartbeats(port))
    assert reader.report("u1").silence is None
    pods = [FirstPod("u1", "sft", 1, "127.0.0.1")]
    asyncio.run(reader.tracked.refresh(pods))
    silence = reader.report("u1").silence or ""
    assert silence.startswith("progress is unknown: MLflow at http://127.0.0.1:")
    assert silence.endswith("); training continues and keeps its metrics") and "its pod" not in silence
    asyncio.run(reader.heartbeats.refresh(pods))
    report = reader.report("u1")
    unheard = f"its pod does not answer at 127.0.0.1:{port} (Connection refused)"
    assert report.unheard == {"sft": unheard}
    assert (report.silence or "").endswith(f", and {unheard}; training continues and keeps its metrics")
    assert reader.report("another").unheard == {}
