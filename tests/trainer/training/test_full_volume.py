"""A volume that becomes full while a checkpoint is written, and a resume when it has room again."""

import shutil
import subprocess
from pathlib import Path

import pytest
from alignment_trainer.workspace.checkpoints import newest_verified

MADE = {"sft__optimization__maxSteps": 6, "sft__checkpoint": {"everySteps": 2, "keep": 3}, "sft__holdout": None}


def mount(folder, *options):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]).returncode


@pytest.fixture
def volume(workspace, tmp_path):
    """A file system of its own with the inputs, which takes few more files."""
    folder = tmp_path / "volume"
    folder.mkdir()
    if mount(folder, "size=128m"):
        pytest.skip("this machine lets no test mount a file system")
    shutil.copytree(workspace / "inputs", folder / "inputs")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def files_in(folder):
    return sum(1 for _ in folder.rglob("*")) + 1


def test_a_stage_stops_at_a_full_volume_and_resumes_from_its_last_checkpoint(volume, tmp_path, trainer):
    config = trainer.config(volume, **MADE)
    # The estimate counts bytes, so it does not see that the second checkpoint has no inodes.
    assert mount(volume, "remount", f"nr_inodes={files_in(volume) + 36}") == 0
    full = trainer.train(config, tmp_path)
    assert (full.code, full.termination.reason) == (69, "DiskFull"), full.output
    assert "(No space left on device): it has no inode left for another file" in full.termination.message
    assert "Traceback" not in full.output
    kept = newest_verified(Path(config.paths.stage))
    assert kept is not None and kept.step < 6

    assert mount(volume, "remount", "nr_inodes=0") == 0
    resumed = trainer.train(config, tmp_path)
    assert resumed.code == 0, resumed.output
    assert f"step {kept.step + 1}/6" in resumed.output and f"step {kept.step}/6" not in resumed.output
    assert not list(volume.rglob(".*/*"))
