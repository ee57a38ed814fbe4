import json
import subprocess
import sys

import pytest
from alignment_api.exit_codes import Termination
from alignment_trainer.process.termination import MOST_BYTES, fitted, shortened, write_termination


@pytest.mark.parametrize(
    "text",
    ["", "short", "a" * 3000, "\U0001f600" * 3000, "训" * 3000, '"' * 3000, "\\" * 3000, "\x1b" * 3000, "\n" * 3000,
     "é\n\"\x00\U0001f600训" * 500],
    ids=["empty", "short", "long", "emoji", "CJK", "quotes", "backslashes", "control", "newlines", "all"],
)  # fmt: skip
def test_every_termination_fits_into_the_kubelets_limit(text):
    termination = Termination(exit_code=65, reason="BadData", message=text, step=7, last_checkpoint=4, model_revision="f" * 40)
    written = fitted(termination)
    assert len(written.encode()) <= MOST_BYTES
    read = Termination.model_validate_json(written)
    assert read.model_copy(update={"message": ""}) == termination.model_copy(update={"message": ""})
    begin, _, end = read.message.partition(" … ")
    assert text.startswith(begin) and text.endswith(end)
    # The message fills the limit, except for the last characters.
    assert read.message == text or len(written.encode()) > MOST_BYTES - 16


@pytest.mark.parametrize(("count", "are_kept"), [(5, True), (40, False)])
def test_warnings_that_do_not_fit_are_left_to_the_last_heartbeat(count, are_kept):
    warnings = [f"{number}: {'a sentence' * 12}" for number in range(count)]
    done = Termination(exit_code=0, reason="Completed", message="done", warnings=warnings, total_steps=40, metrics={"loss": 0.5})
    written = fitted(done)
    assert len(written.encode()) <= MOST_BYTES
    assert Termination.model_validate_json(written) == done.model_copy(update={} if are_kept else {"warnings": None})


def test_the_beginning_and_the_end_of_a_message_are_kept():
    message = "The model cannot be loaded" + ", because of this" * 170 + ", because the disk is full"
    read = json.loads(fitted(Termination(exit_code=70, reason="Defect", message=message), 600))["message"]
    assert read.startswith("The model cannot be loaded, because") and read.endswith("because the disk is full")


@pytest.mark.parametrize(("kept", "left"), [(0, " … "), (3, "ab … i"), (8, "abcdef … hi"), (9, "abcdefghi"), (10, "abcdefghi")])
def test_the_middle_is_left_out_first(kept, left):
    assert shortened("abcdefghi", kept) == left


def test_a_file_name_that_is_not_utf_8_can_be_reported():
    assert shortened("caf\udce9.jsonl:1: is not JSON", 100) == "caf?.jsonl:1: is not JSON"


def test_the_message_is_written_to_the_file_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNMENT_TERMINATION_LOG", str(tmp_path / "log"))
    write_termination("{}")
    assert (tmp_path / "log").read_text() == "{}"


def test_the_message_overwrites_the_room_that_is_reserved_for_it(tmp_path, monkeypatch):
    log = tmp_path / "log"
    log.write_text(" " * MOST_BYTES)
    monkeypatch.setenv("ALIGNMENT_TERMINATION_LOG", str(log))
    before = log.stat().st_ino
    write_termination("{}")
    assert (log.read_text(), log.stat().st_ino) == ("{}", before)


def test_a_message_can_be_written_before_anything_is_loaded():
    program = "import sys, alignment_trainer.process.termination; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
