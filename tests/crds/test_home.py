"""Which jobs are found in the folder of one machine."""

import os
from pathlib import Path

import pytest
from alignment_api.home import Home


def test_a_namespace_that_may_not_be_read_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    for namespace in ("mine", "theirs"):
        home.job_folder(namespace, "a").mkdir(parents=True)
        (home.job_folder(namespace, "a") / "job.json").touch()
    scan = os.scandir

    # Tests may run as root, who may read everything.
    def refusing(folder: str | Path) -> object:
        if Path(folder).name == "theirs":
            raise PermissionError(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert home.job_files() == [home.job_folder("mine", "a") / "job.json"]
