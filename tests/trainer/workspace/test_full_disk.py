"""Errors that a full volume causes, in the words of each library, and what a stage says about it."""

import errno
import os
import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest
from alignment_api.exit_codes import consequence
from alignment_trainer.failures import BadData, DiskFull, SharedMemoryFull
from alignment_trainer.process.outcome import explained
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.workspace import full_disk
from alignment_trainer.workspace.full_disk import Room, amount, check_room_for, disk_failure, room_of, sign_of
from jinja2 import TemplateError

FULL, QUOTA = "No space left on device", "Disk quota exceeded"
MB = 10**6


def os_error(number, *names):
    return OSError(number, os.strerror(number), *names)


def caused(error, cause):
    """Return an error that a library raised from another one."""
    error.__cause__ = cause
    return error


def happened_during(error, context):
    error.__context__ = context
    return error


@pytest.mark.parametrize(
    ("error", "words", "file", "is_certain"),
    [
        (os_error(errno.ENOSPC), FULL, None, True),
        (os_error(errno.EDQUOT), QUOTA, None, True),
        (os_error(errno.ENOSPC, "/w/j.json"), FULL, "/w/j.json", True),
        (os_error(errno.ENOSPC, "/elsewhere/a", None, "/w/a"), FULL, "/w/a", True),
        (os_error(errno.ENOSPC, 5), FULL, None, True),
        (RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"), FULL, None, True),
        (RuntimeError("Error while serializing: I/O error: Disk quota exceeded (os error 122)"), QUOTA, None, True),
        (sqlite3.OperationalError("database or disk is full"), "database or disk is full", None, True),
        (
            OSError("Not enough disk space. Needed: 9.1 GiB (download: 1 GiB)"),
            "Not enough disk space. Needed: 9.1 GiB (download: 1 GiB)",
            None,
            True,
        ),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"), FULL, None, False),
        (RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"), FULL, None, False),
        (OSError("1000000 requested and 524272 written"), FULL, None, False),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']"), FULL, None, False),
        (caused(ValueError("cannot be generated"), os_error(errno.ENOSPC, "/w/a.arrow")), FULL, "/w/a.arrow", True),
        (happened_during(RuntimeError("unexpected pos 1 vs 2"), os_error(errno.ENOSPC)), FULL, None, True),
        (caused(BadData("cannot be loaded"), os_error(errno.ENOSPC)), FULL, None, True),
    ],
)
def test_errors_of_a_full_volume(error, words, file, is_certain):
    sign = sign_of(error)
    assert (sign.words, sign.file, sign.is_certain) == (words, file, is_certain)


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.EACCES, "/w/j.json"),
        os_error(errno.EIO),
        os_error(errno.EFBIG),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        KeyError("chosen"),
        BadData("rows.jsonl:3: says 'No space left on device'"),
        DiskFull("the workspace volume has no room for a file (No space left on device)"),
        # Words of a row.
        caused(BadData("rows.jsonl:3: has the role '...'"), BadRow(f"has the role {FULL!r}")),
        caused(BadData("rows.jsonl:3: ..."), caused(BadRow("cannot be read"), ValueError(f"cannot convert {FULL!r}"))),
        happened_during(KeyError("text"), BadRow(f"has the role {FULL!r}")),
        caused(BadData("rows.jsonl:3: the chat template rejects the row"), TemplateError(f"no role {FULL!r}")),
    ],
    ids=repr,
)
def test_other_errors(error, tmp_path):
    assert sign_of(error) is None
    assert disk_failure(error, tmp_path) is None


@pytest.fixture
def volumes(monkeypatch, tmp_path):
    """Return a function that says how much of the workspace, of /tmp and of /dev/shm is free."""
    other = tmp_path.parent / "other"
    monkeypatch.setattr(full_disk, "_temporary_folders", lambda: iter([other]))
    monkeypatch.setattr(full_disk, "_device", lambda path: str(path).removeprefix(str(tmp_path))[:1])
    monkeypatch.setattr(full_disk, "_existing", lambda path: path)

    def set_free(workspace=9_000 * MB, temporary=9_000 * MB, shared=9_000 * MB):
        free = {tmp_path: workspace, other: temporary, full_disk.SHARED_MEMORY: shared}
        rooms = {place: None if size is None else Room(size, 10_000 * MB) for place, size in free.items()}
        monkeypatch.setattr(full_disk, "room_of", lambda path: rooms.get(path, rooms[tmp_path]))

    return set_free


OUR_WRITE, SHARED = os_error(errno.ENOSPC), RuntimeError("unable to write to </torch_1>: shared memory: No space left on device")


@pytest.mark.parametrize(
    ("free", "error", "failure", "sentence"),
    [
        (
            {"workspace": 0},
            OUR_WRITE,
            DiskFull,
            "the workspace volume ({}) has no room for a file of the stage (No space left on device): 0 kB of 10.0 GB are free; "
            "free some room or enlarge the volume; the stage tries again by itself",
        ),
        ({"temporary": 0}, OUR_WRITE, DiskFull, "the volume of {}/other has no room for a file of the stage"),
        ({"workspace": 0}, os_error(errno.ENOSPC, "/w/j"), DiskFull, "the volume of /w/j has no room for /w/j (No space left"),
        ({}, os_error(errno.EDQUOT), DiskFull, "(Disk quota exceeded): 9.0 GB of 10.0 GB are free; free some room"),
        ({"workspace": None}, OUR_WRITE, DiskFull, "(No space left on device): it does not say how much is free"),
        ({"shared": 0}, OUR_WRITE, SharedMemoryFull, "/dev/shm, the memory that the processes of a pod share, is full"),
        ({}, SHARED, SharedMemoryFull, "raise compute.sharedMemory"),
        ({"workspace": 3 * MB}, OSError("9 requested and 5 written"), DiskFull, "3.0 MB of 10.0 GB are free"),
    ],
)
def test_what_a_stage_says_about_a_full_volume(volumes, tmp_path, free, error, failure, sentence):
    volumes(**free)
    found = disk_failure(error, tmp_path)
    assert type(found) is failure
    named = sentence.format(tmp_path.parent if "/other" in sentence else tmp_path)
    assert named in str(found)


def test_a_failed_write_without_a_cause_is_not_blamed_on_a_volume_that_takes_more(tmp_path, volumes):
    volumes()
    assert disk_failure(OSError("9 requested and 5 written"), tmp_path) is None


def test_waiting_for_room_uses_no_budget_and_full_shared_memory_does(tmp_path):
    full = explained(os_error(errno.ENOSPC, str(tmp_path / "j")), tmp_path)
    assert (full.exit_code, full.reason, consequence(full.exit_code, full.reason)) == (69, "DiskFull", "Infrastructure")
    shared = explained(SHARED, tmp_path)
    assert consequence(shared.exit_code, shared.reason) == "Application"
    assert explained(KeyError("chosen"), tmp_path) is None


Volume = namedtuple("Volume", "f_frsize f_blocks f_bavail f_files f_favail")


@pytest.mark.parametrize(
    ("volume", "room"),
    [
        (Volume(4096, 1000, 250, 100, 50), Room(1_024_000, 4_096_000)),
        (Volume(4096, 1000, 250, 100, 0), Room(1_024_000, 4_096_000, has_inodes=False)),
        (Volume(4096, 1000, 250, 0, 0), Room(1_024_000, 4_096_000)),
        (Volume(4096, 0, 0, 0, 0), None),
        (Volume(0, 0, 0, 0, 0), None),
        (Volume(4096, 2**63, 2**63, 0, 0), None),
        (Volume(4096, 1000, 2**64 - 1, 0, 0), None),
        (Volume(1 << 20, 2**40, 2**40, 2**40, 2**40), Room(2**60, 2**60)),
    ],
)
def test_the_room_of_a_volume(volume, room, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: volume)
    assert room_of(tmp_path / "not yet there") == room


@pytest.mark.parametrize(
    ("room", "is_used_up"),
    [
        (Room(0, 0), False),
        (Room(0, 100 * MB), True),
        (Room(4 * MB, 100 * MB), True),
        (Room(6 * MB, 100 * MB), False),
        (Room(16 * MB, 10**12), True),
        (Room(17 * MB, 10**12), False),
        (Room(10**11, 10**12, has_inodes=False), True),
    ],
)
def test_used_up(room, is_used_up):
    assert room.is_used_up is is_used_up


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 kB"), (1_500, "2 kB"), (5_200_000, "5.2 MB"), (1_234 * MB, "1.2 GB"), (3 * 10**12, "3.0 TB")]
)
def test_sizes_as_people_read_them(size, text):
    assert amount(size) == text


def test_a_download_needs_room_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(full_disk, "room_of", lambda path: Room(1_200 * MB, 9_000 * MB))
    check_room_for(1_200 * MB, "hf://team/model", tmp_path)
    with pytest.raises(DiskFull) as refused:
        check_room_for(1_300 * MB, "the rest of hf://team/model", tmp_path)
    assert str(refused.value).startswith(
        f"the volume of {tmp_path} has 1.2 GB free, and the rest of hf://team/model needs 1.3 GB; free some room"
    )
    monkeypatch.setattr(full_disk, "room_of", lambda path: None)
    check_room_for(1_300 * MB, "hf://team/model", Path("/"))
