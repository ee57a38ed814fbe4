"""The state of an attempt, read from a process of this machine."""

from datetime import UTC, datetime

import pytest
from alignment_api.exit_codes import Termination
from alignment_operator.backends import process
from alignment_operator.backends.process import SeenProcess
from alignment_operator.settings import Settings
from builders import a_job, a_run

START, END = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=UTC)
BAD_DATA = Termination(exit_code=65, reason="BadData", message="rows.jsonl:3: is not JSON", last_checkpoint=40)
DONE = Termination(exit_code=0, reason="Completed", message="completed")

SITUATIONS: list[tuple[str, SeenProcess, str, str, int | None, int | None]] = [
    ("alive", SeenProcess(True, False, None, START, None), "Running", "", None, None),
    ("alive and asked to stop", SeenProcess(True, True, None, START, None), "Stopping", "", None, None),
    ("ended after it was asked to stop", SeenProcess(False, True, BAD_DATA, START, END), "Stopping", "", None, None),
    ("succeeded", SeenProcess(False, False, DONE, START, END), "Succeeded", "completed", 0, None),
    ("failed", SeenProcess(False, False, BAD_DATA, START, END), "Failed", "rows.jsonl:3: is not JSON", 65, 40),
    (
        "killed",
        SeenProcess(False, False, None, START, None),
        "Failed",
        "the trainer was killed before it could write a reason; its log ends at that point",
        137,
        None,
    ),
]


def test_warnings_of_an_attempt_that_succeeded() -> None:
    done = DONE.model_copy(update={"warnings": ["a\nsentence"]})
    child = process.observe(process.render(a_run(a_job(), "sft"), Settings())[-1], SeenProcess(False, False, done, START, END))
    assert child.warnings == ("a sentence",)


@pytest.mark.parametrize(
    ("seen", "state", "message", "exit_code", "last_checkpoint"),
    [row[1:] for row in SITUATIONS],
    ids=[row[0] for row in SITUATIONS],
)
def test_the_state_of_an_attempt(
    seen: SeenProcess, state: str, message: str, exit_code: int | None, last_checkpoint: int | None
) -> None:
    run = a_run(a_job(), "sft", 2)
    child = process.observe(process.render(run, Settings())[-1], seen)
    assert (child.state, child.message, child.exit_code, child.last_checkpoint) == (state, message, exit_code, last_checkpoint)
    assert (child.name, child.stage, child.attempt) == ("job-sft-2", "sft", 2)
    assert (child.input_hash, child.fingerprint) == (run.input_hash, run.fingerprint)
    assert (child.start_time, child.end_time) == (seen.start_time, seen.end_time)
