"""Starts the processes of a stage: ranks that torchrun connects, or one process without torch for a stage that loads no model."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from alignment_api.run_config import RunConfig
from alignment_api.spec.parts import loads_model

from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE
from alignment_trainer.process.outcome import RankFailure, record_failures

_RANK = "alignment_trainer.rank"


def start_ranks(config: RunConfig, places: Mapping[str, str], patience_seconds: int) -> subprocess.Popen[bytes]:
    """Start them, and return the process that ends when they have ended; it passes a SIGTERM on to them."""
    environment = {**os.environ, **places, "ALIGNMENT_WORKSPACE": config.paths.workspace}
    if not loads_model(config.stage):
        return subprocess.Popen([sys.executable, "-m", _RANK], env={**environment, **_alone()})
    return subprocess.Popen(
        [sys.executable, "-m", "alignment_trainer.process.torchrun", f"--shutdown-timeout={patience_seconds}", "-m", _RANK],
        env={**environment, "ALIGNMENT_SUPERVISOR_PID": str(os.getpid())},
    )


def record_launched(config: RunConfig, folder: Path, code: int) -> None:
    """Write down how the process of a stage without a launcher failed, as the launcher does for its ranks."""
    if code and not loads_model(config.stage):
        record_failures(folder, [RankFailure(0, code)])


def _alone() -> dict[str, str]:
    return {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_WORLD_SIZE": "1",
        LAUNCHER_VARIABLE: str(os.getpid()),
    }
