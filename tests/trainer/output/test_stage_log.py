"""The copy of a stage's output: it is whole on a healthy volume, and disturbs nothing on any other."""

import os
import re
import threading

import pytest
from alignment_api.names import LOG_FILE, OLDER_LOG_FILE
from alignment_trainer.output import stage_log
from alignment_trainer.output.stage_log import StageLog, log_files, log_state

HEADER = re.compile(r"^=== attempt (\d) of tiny/sft, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC ===$", re.MULTILINE)


def written(log, stage, *lines, last=""):
    """Copy lines, and return the newest file after the end, without its header."""
    log.write_to(stage, "attempt 1 of tiny/sft")
    for line in lines:
        log.copy(f"{line}\n".encode())
    log.end(last)
    return HEADER.sub("", (stage / LOG_FILE).read_text()).lstrip("\n")


def wait_for_writer(log):
    """Wait until everything that was copied before has been tried."""
    log._waiting.put(b"")
    while log._waiting.qsize():
        threading.Event().wait(0.01)


def test_each_attempt_begins_with_a_line_that_names_it(tmp_path):
    for attempt in (1, 2):
        log = StageLog()
        log.copy(b"before the folder is known\n")
        log.write_to(tmp_path / "sft", f"attempt {attempt} of tiny/sft")
        log.write_to(tmp_path / "sft", "a second beginning, which changes nothing")
        log.copy(f"of attempt {attempt}\n".encode())
        log.end("Completed: the stage is done\n")
        log.copy(b"after the end\n")
        log.end()
    text = (tmp_path / "sft" / LOG_FILE).read_text()
    assert HEADER.findall(text) == ["1", "2"]
    lines = "before the folder is known\nof attempt {}\nCompleted: the stage is done\n"
    assert HEADER.sub("", text) == "\n" + lines.format(1) + "\n" + lines.format(2)


def test_without_a_folder_nothing_is_written_and_the_end_does_not_wait(tmp_path):
    log = StageLog()
    log.copy(b"a line\n")
    log.end("the end\n")
    assert (log_files(tmp_path), log_state(tmp_path)) == ([], None)


def test_a_long_log_is_two_files_of_whole_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_log, "_MOST_BYTES", 1000)
    log = StageLog()
    log.write_to(tmp_path, "attempt 1 of tiny/sft")
    stream = log.stream()
    text = "".join(f"line {number}\n" for number in range(1000)).encode()
    # Pieces end anywhere, as in a pipe.
    for start in range(0, len(text), 37):
        stream.copy(text[start : start + 37])
    log.end()
    older, newest = log_files(tmp_path)
    assert (older.name, newest.name) == (OLDER_LOG_FILE, LOG_FILE)
    assert max(path.stat().st_size for path in (older, newest)) < 1050
    lines = [*older.read_text().splitlines(), *newest.read_text().splitlines()]
    assert lines == [f"line {number}" for number in range(1000 - len(lines), 1000)]


def test_a_log_without_line_ends_is_divided_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_log, "_MOST_BYTES", 1000)
    monkeypatch.setattr(stage_log, "PIECE_BYTES", 50)
    log = StageLog()
    log.write_to(tmp_path, "attempt 1 of tiny/sft")
    stream = log.stream()
    for _ in range(100):
        stream.copy(b"\r" + b"#" * 99)
    log.end()
    assert max(path.stat().st_size for path in log_files(tmp_path)) <= 1200


def test_lines_for_which_the_volume_has_no_room_are_counted(tmp_path):
    (tmp_path / LOG_FILE).symlink_to("/dev/full")
    log = StageLog()
    log.write_to(tmp_path, "attempt 1 of tiny/sft")
    log.copy(b"lost\nlost too\n")
    wait_for_writer(log)
    (tmp_path / LOG_FILE).unlink()
    text = written(log, tmp_path, "there is room again", "and no more is lost")
    assert text == "[3 lines are missing here: the volume was full or too slow]\nthere is room again\nand no more is lost\n"


@pytest.mark.parametrize("occupied", ["the stage's folder is a file", "the log is a folder"])
def test_a_log_that_cannot_be_written_disturbs_nothing(tmp_path, occupied):
    stage = tmp_path / "sft"
    if occupied == "the log is a folder":
        (stage / LOG_FILE).mkdir(parents=True)
    else:
        stage.write_text("")
    log = StageLog()
    log.write_to(stage, "attempt 1 of tiny/sft")
    log.copy(b"a line\n")
    log.end("the end\n")


def test_a_log_that_is_removed_while_it_is_written_begins_again_at_the_next_division(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_log, "_MOST_BYTES", 100)
    log = StageLog()
    log.write_to(tmp_path, "attempt 1 of tiny/sft")
    wait_for_writer(log)
    (tmp_path / LOG_FILE).unlink()
    assert written(log, tmp_path, "x" * 100, "lost", "kept").endswith("missing here: the volume was full or too slow]\nkept\n")


def test_a_volume_that_hangs_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_log, "END_SECONDS", 0.1)
    # Opening this waits for a reader.
    os.mkfifo(tmp_path / LOG_FILE)
    log = StageLog()
    log.write_to(tmp_path, "attempt 1 of tiny/sft")
    for number in range(stage_log._MOST_WAITING + 500):
        log.copy(f"line {number}\n".encode())
    log.end("the end\n")
    # Then the volume answers.
    with (tmp_path / LOG_FILE).open("rb") as file:
        text = file.read().decode()
    assert f"line {stage_log._MOST_WAITING - 1}\n" in text
    assert "line 1600\n" not in text and "the end" not in text
    assert "[501 lines are missing here" in text


def test_a_forked_worker_writes_nothing_and_waits_for_no_lock(tmp_path):
    log = StageLog()
    with log._counting:
        child = os.fork()
        if child == 0:
            for _ in range(stage_log._MOST_WAITING + 1):
                log.copy(b"of a worker\n")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert written(log, tmp_path, "of its parent") == "of its parent\n"


def test_lines_of_several_streams_stay_whole(tmp_path):
    log = StageLog()
    out, error = log.stream(), log.stream()
    for stream, data in [
        (out, b"a line"),
        (error, b"a com"),
        (out, b" of text\nand "),
        (error, b"plaint\n"),
        (out, b"half a line"),
    ]:
        stream.copy(data)
    assert written(log, tmp_path) == "a line of text\na complaint\nand half a line\n"
