"""Programs that tests fork do what they do when they are started anew."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fork_nursery import STARTED_VARIABLE
from forked_programs import forked_programs

TINY = Path(__file__).parents[1] / "examples" / "tiny.yaml"
ALIGNMENT = [sys.executable, "-m", "alignment_operator.cli"]


@pytest.mark.parametrize(
    ("arguments", "code"), [(["recipes"], 0), (["nonsense"], 2), (["validate", "/nowhere.yaml"], 2)], ids=lambda given: str(given)
)
def test_it_prints_and_returns_the_same_as_a_child_of_this_process(tmp_path: Path, arguments: list[str], code: int) -> None:
    started = tmp_path / "started"
    command = [*ALIGNMENT, *arguments]
    anew = subprocess.run(command, capture_output=True, text=True)
    with forked_programs():
        environment = {**os.environ, STARTED_VARIABLE: str(started)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        printed = process.communicate()
    assert (process.returncode, *printed) == (anew.returncode, anew.stdout, anew.stderr)
    assert process.returncode == code
    # It was forked: only then it says so.
    assert started.read_text() == f"{process.pid} cli\n"


def test_a_signal_ends_it() -> None:
    with forked_programs():
        process = subprocess.Popen([*ALIGNMENT, "validate", "/dev/stdin"], stdin=subprocess.PIPE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


def test_its_own_programs_are_forked_too(tmp_path: Path) -> None:
    started = tmp_path / "started"
    with forked_programs():
        environment = {**os.environ, STARTED_VARIABLE: str(started)}
        command = [*ALIGNMENT, "validate", "--data", "--home", str(tmp_path), str(TINY)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "workspace://inputs/tiny/model is not a folder" in ended.stderr, ended
    assert [line.split()[1] for line in started.read_text().splitlines()] == ["cli", "validate_data"]
