import errno
import os
import re

import pytest
from alignment_api.exit_codes import Termination, consequence
from alignment_api.spec.stages import Stage
from alignment_trainer.failures import BadData, DiskFull, Diverged, PeerLost, Stopped
from alignment_trainer.process import outcome as reports
from alignment_trainer.process.outcome import (
    RankFailure,
    RankOutcome,
    failure_of,
    lowered_for_memory,
    record_failures,
    record_launcher_outcome,
    record_outcome,
    reserve_room,
    termination_of,
)

BROKEN_ROW = failure_of(BadData("rows.jsonl:3: has no chosen"))
NOT_A_NUMBER = failure_of(Diverged("loss is nan at step 7"))
STOPPED = failure_of(Stopped("stopped after step 9"))
LOST = failure_of(PeerLost("another process went away"))
FULL = failure_of(DiskFull("the workspace volume has no room"))
LOWERED = "compute.microBatchSize"
DEFECT = RankOutcome(70, "Defect", "KeyError: 'a'")


@pytest.mark.parametrize(
    ("situation", "failures", "outcomes", "launcher_code", "stop_requested", "code", "reason"),
    [
        ("all went well", [], {}, 0, False, 0, "Completed"),
        ("the first process found a broken row", [(0, 65)], {0: BROKEN_ROW}, 1, False, 65, "BadData"),
        ("and the others lost it", [(1, 75), (0, 65)], {0: BROKEN_ROW, 1: LOST}, 1, False, 65, "BadData"),
        ("numbers left the rails", [(0, 70), (1, 70)], {0: NOT_A_NUMBER, 1: NOT_A_NUMBER}, 1, False, 70, "Diverged"),
        ("a defect", [(0, 70)], {0: DEFECT}, 1, False, 70, "Defect"),
        ("out of memory", [(1, -9)], {}, 1, False, 70, "ProcessKilled"),
        ("out of memory, seen by the other first", [(0, 75), (1, -9)], {0: LOST}, 1, False, 70, "ProcessKilled"),
        ("a watchdog gave up", [(1, -6)], {}, 1, False, 134, "Aborted"),
        ("a watchdog gave up, and the other saw it", [(1, -6), (0, 75)], {0: LOST}, 1, False, 134, "Aborted"),
        ("a segmentation fault", [(1, -11)], {}, 1, False, 139, "Killed"),
        ("a process on another node is gone", [(0, 75)], {0: LOST}, 1, False, 75, "PeerLost"),
        ("stopped here", [], {0: STOPPED, 1: STOPPED}, 143, True, 75, "Stopped"),
        ("stopped on another node", [(0, 75), (1, 75)], {0: STOPPED, 1: STOPPED}, 1, False, 75, "Stopped"),
        ("stopped while loading", [(0, -15)], {}, 143, True, 75, "Stopped"),
        ("stopped while one was loading", [(0, 70)], {0: DEFECT}, 143, True, 75, "Stopped"),
        ("did not stop in time", [(0, -9)], {}, 143, True, 137, "Killed"),
        ("the launcher itself was killed", [], {}, -9, False, 70, "ProcessKilled"),
        ("the launcher was aborted", [], {}, -6, False, 134, "Killed"),
        ("shared memory is full", [(1, -7), (0, 75)], {0: LOST}, 1, False, 70, "SharedMemoryFull"),
        ("a disk is full", [(0, 75), (1, 69)], {0: LOST, 1: FULL}, 1, False, 69, "DiskFull"),
        ("no process reports a reason", [(0, 3)], {}, 1, False, 70, "Defect"),
    ],
)
def test_how_processes_end_decides_the_termination(
    tmp_path, situation, failures, outcomes, launcher_code, stop_requested, code, reason
):
    if failures:
        record_failures(tmp_path, [RankFailure(*failure) for failure in failures])
    for rank, outcome in outcomes.items():
        record_outcome(tmp_path, rank, outcome)
    termination = termination_of(tmp_path, launcher_code, stop_requested, LOWERED)
    assert (termination.exit_code, termination.reason) == (code, reason), situation
    assert termination.message


def test_a_launcher_without_peers_is_peer_lost(tmp_path):
    record_launcher_outcome(tmp_path, LOST)
    assert termination_of(tmp_path, 1, False, LOWERED) == Termination(exit_code=75, reason="PeerLost", message=LOST.message)
    assert termination_of(tmp_path, 1, True, LOWERED).reason == "Stopped"


MODEL_FREE = {"name": "distill", "distill": {}}
OWN_MODEL = {"name": "feedback", "feedback": {"responders": [{"model": {"base": True}}]}}
TRAINING = {"name": "sft", "sft": {}}
ADVICE = [
    (TRAINING, "lower compute.microBatchSize, maxLength or processesPerNode, or raise compute.memory"),
    (OWN_MODEL, "lower compute.processesPerNode, or raise compute.memory"),
    (MODEL_FREE, "raise compute.memory"),
]


@pytest.mark.parametrize(("stage", "advice"), ADVICE)
def test_a_killed_process_in_a_surviving_pod_is_counted_and_gets_advice_that_fits_its_stage(tmp_path, stage, advice):
    record_failures(tmp_path, [RankFailure(1, -9)])
    termination = termination_of(tmp_path, 1, False, lowered_for_memory(Stage.model_validate(stage)))
    assert consequence(termination.exit_code, termination.reason) == "Application"
    assert re.search(f"process 1 was killed .* the machine ran out of memory; {advice}, so that", termination.message)


def test_a_long_sentence_fits_a_termination(tmp_path):
    record_outcome(tmp_path, 0, RankOutcome(70, "Defect", "begin" + "x" * 5000 + "end"))
    assert re.fullmatch(r"beginx+ … x+end", termination_of(tmp_path, 1, False, LOWERED).message)
    assert Termination(**failure_of(BadData("é" * 9000))._asdict()).message


def test_a_report_takes_the_reserved_room_of_a_full_volume(tmp_path, monkeypatch):
    reserve_room(tmp_path)
    (reserved,) = tmp_path.iterdir()
    assert reserved.stat().st_size >= 2 * 4096, "a file system counts whole blocks"

    def write_if_there_is_room(path, text):
        if reserved.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        path.write_text(text)

    monkeypatch.setattr(reports, "write_whole", write_if_there_is_room)
    record_outcome(tmp_path, 0, FULL)
    record_outcome(tmp_path, 1, LOST)
    record_failures(tmp_path, [RankFailure(0, 69), RankFailure(1, 75)])
    assert termination_of(tmp_path, 1, False, LOWERED).reason == "DiskFull"
