"""Which paths on the volume are read as rows, and which are refused before they are opened."""

import os
import socket
import unicodedata

import pytest
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset
from alignment_trainer.failures import BadData
from alignment_trainer.reading.sources import find_source

ROW = '{"prompt": "Why?", "completion": "Because."}\n'


def source(root, uri):
    return find_source(Dataset.parse({"uri": uri}), Paths(workspace=str(root), stage="unused"))


def make_socket(path):
    # The address of a socket is short, the path of a test's folder may not be.
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


ODD = [
    (os.mkfifo, "a named pipe (FIFO), not a file; write its rows to a file, or remove it"),
    (make_socket, "a socket, not a file"),
    (lambda path: path.symlink_to(path.with_name("nothing")), "a link to nothing, not a file"),
    (lambda path: path.symlink_to("/dev/zero"), "a link to /dev/zero, a system file"),
]


@pytest.mark.parametrize(("make", "kind"), ODD)
def test_what_is_no_file_is_refused_without_opening_it(tmp_path, make, kind):
    make(tmp_path / "rows.jsonl")
    with pytest.raises(BadData) as refused:
        source(tmp_path, "workspace://rows.jsonl")
    assert str(refused.value).startswith(f"workspace://rows.jsonl is {kind}")


@pytest.mark.parametrize(("make", "kind"), ODD)
def test_so_is_a_folder_with_such_a_file_among_others(tmp_path, make, kind):
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat/a.jsonl").write_text(ROW)
    make(tmp_path / "chat/b.jsonl")
    with pytest.raises(BadData) as refused:
        source(tmp_path, "workspace://chat")
    assert f"is {kind}" in str(refused.value)


def test_other_files_and_folders_in_a_folder_are_not_looked_at(tmp_path):
    (tmp_path / "chat/more.jsonl").mkdir(parents=True)
    (tmp_path / "chat/a.jsonl").write_text(ROW)
    os.mkfifo(tmp_path / "chat/pipe")
    assert [part.shown for part in source(tmp_path, "workspace://chat/").parts] == ["chat/a.jsonl"]


def test_a_place_holds_no_control_character_of_a_file_name(tmp_path):
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat/a\x1b[2J b.jsonl").write_text(ROW)
    (row,) = source(tmp_path, "workspace://chat").rows()
    assert row.place == r"chat/a\x1b[2J b.jsonl:1"


def test_a_name_that_is_too_long_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(BadData, match=r"^workspace://é+.jsonl cannot be opened \(File name too long\)"):
        source(tmp_path, f"workspace://{'é' * 200}.jsonl")


@pytest.mark.parametrize("uri", ["workspace://réponses à lire/問答 (1).jsonl", "workspace://réponses à lire"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_name_is_found_however_its_accents_are_written(tmp_path, uri, written, stored):
    folder = tmp_path / unicodedata.normalize(stored, "réponses à lire")
    folder.mkdir()
    (folder / "問答 (1).jsonl").write_text(ROW)
    (row,) = source(tmp_path, unicodedata.normalize(written, uri)).rows()
    assert row.place == unicodedata.normalize(written, "réponses à lire/問答 (1).jsonl:1")


def test_of_two_names_the_one_as_it_is_written_is_read(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "é.jsonl")).write_text(ROW.replace("Why", form))
    for form in ("NFC", "NFD"):
        (row,) = source(tmp_path, unicodedata.normalize(form, "workspace://é.jsonl")).rows()
        assert row.values["prompt"] == f"{form}?"
