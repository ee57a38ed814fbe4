"""Files and folders that a crash leaves whole."""

import errno
import fcntl
import os
import re
from pathlib import Path

import pytest
from alignment_api.files import flush_tree, locked, rename_whole, without_torn_line, write_whole


@pytest.mark.parametrize("survives_power_cut", [True, False])
def test_a_file_is_replaced_and_no_partial_one_is_left(survives_power_cut: bool, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("old", "nëw"):
        write_whole(path, text, survives_power_cut)
    assert path.read_text(encoding="utf-8") == "nëw"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_alone_and_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")

    def write_half(partial: Path, text: str, **_: object) -> None:
        partial.write_bytes(text.encode()[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(OSError, match=re.escape(f"No space left on device: '{path}'")):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_folder_gets_its_name(tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    (staged / "inner").mkdir(parents=True)
    (staged / "inner" / "file").write_text("text")
    flush_tree(staged)
    rename_whole(staged, tmp_path / "model")
    assert (tmp_path / "model" / "inner" / "file").read_text() == "text"
    assert not staged.exists()


@pytest.mark.parametrize(
    ("left", "whole"),
    [
        (b"", b""),
        (b"1\n", b"1\n"),
        (b"1\n2", b"1\n"),
        (b"12", b""),
        (b"1\n" + b"2" * 200_000, b"1\n"),
        (b"1" * 200_000 + b"\n2", b"1" * 200_000 + b"\n"),
        (b"1\n\0\0\0", b"1\n"),
    ],
)
def test_what_a_crash_leaves_of_a_line_is_cut_off(left: bytes, whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(left)
    without_torn_line(file)
    assert file.read_bytes() == whole


def test_a_file_that_does_not_exist_has_no_torn_line(tmp_path: Path) -> None:
    without_torn_line(tmp_path / "lines")
    assert not (tmp_path / "lines").exists()


def is_free(lock: Path) -> bool:
    with lock.open("a") as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_lock_is_held_of_one_thing_and_only_inside(tmp_path: Path) -> None:
    with locked(tmp_path, "prompts"):
        assert [is_free(tmp_path / name) for name in (".prompts.lock", ".base.lock")] == [False, True]
    assert is_free(tmp_path / ".prompts.lock")


def test_a_volume_without_locks_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, "prompts"):
        pass
