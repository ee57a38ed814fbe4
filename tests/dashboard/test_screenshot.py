"""The verb that takes the picture of README.md names what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "dashboard" / "screenshot.py"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "This needs Chromium or Chrome: install one"),
        ({"CHROMIUM": "/opt/chromium"}, "run `make demo` first"),
    ],
)
def test_what_is_missing_is_one_sentence(tmp_path: Path, environment: dict[str, str], sentence: str) -> None:
    paths = {"PYTHONPATH": ":".join(sys.path), "PATH": "", "ALIGNMENT_HOME": str(tmp_path)}
    command = [sys.executable, str(SCRIPT), "tiny", str(tmp_path / "picture.png")]
    ended = subprocess.run(command, env=paths | environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert sentence in ended.stderr
    assert not (tmp_path / "picture.png").exists()
