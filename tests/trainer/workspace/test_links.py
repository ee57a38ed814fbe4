"""Hard links, which some volumes do not have."""

import errno
import os
from pathlib import Path

import pytest
from alignment_trainer.workspace.links import takes_hard_links


@pytest.mark.parametrize(
    ("number", "takes"),
    [(None, True), (errno.EPERM, False), (errno.EOPNOTSUPP, False), (errno.ENOSPC, True), (errno.EDQUOT, True)],
)
def test_a_volume_takes_hard_links_unless_it_refuses_one(tmp_path, monkeypatch, number, takes):
    def refuse(path, target):
        raise OSError(number, os.strerror(number))

    if number:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert takes_hard_links(tmp_path) is takes
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_says_nothing_of_links(tmp_path):
    assert takes_hard_links(tmp_path / "not there")
