"""What lm-eval and this trainer make of the same rows, made once by one process that loads lm-eval."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_once import made_once


@pytest.fixture(scope="session")
def measured(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that tests/benchmark_program.py has written."""

    def make(root: Path) -> None:
        shutil.copytree(workspace / "inputs", root / "inputs")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(root / "huggingface"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]),
        }
        program = [sys.executable, "-m", "benchmark_program", root]
        ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr[-5000:]

    return made_once(tmp_path_factory, "benchmarks", make)


@pytest.fixture(scope="session")
def official(measured: Path) -> Any:
    """What lm-eval itself reports."""
    return json.loads((measured / "official.json").read_text())
