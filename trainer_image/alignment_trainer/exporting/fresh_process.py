"""Runs a module of this package in a fresh process, which is in no group of processes and whose memory is free when it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

from alignment_trainer.failures import LacksMemory
from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE

_OF_RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Without these the process is alone."""


class Ended(NamedTuple):
    """How the process ended."""

    code: int
    errors: str
    """What it wrote to stderr."""

    @property
    def signal(self) -> int | None:
        """Return the signal that killed it."""
        return -self.code if self.code < 0 else None

    @property
    def last_line(self) -> str:
        """Return the last line of its errors: of an exception, kind and message."""
        lines = (line.strip() for line in reversed(self.errors.splitlines()))
        return next(filter(None, lines), "it says nothing")[:300]

    def lack_of_memory(self, process: str, room: str) -> LacksMemory | None:
        """Return the failure if the process lacked memory; it is called by what it does, and the room by what it is for."""
        if self.signal:
            return LacksMemory(
                f"the process that {process} was killed (signal {self.signal}), perhaps for memory; raise compute.memory"
            )
        if "OutOfMemoryError" in self.last_line:
            return LacksMemory(
                f"the GPU has no room {room}; take a GPU with more memory, or set compute.gpusPerNode of this stage to 0"
            )
        return None


def run_alone(module: str, *arguments: str, given: str | None = None) -> Ended:
    """Run a module that dies with this process; it reads what is given from stdin, and its errors are printed if it fails."""
    process = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        input=given,
        env=_environment(os.environ),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if process.returncode:
        print(process.stderr, file=sys.stderr, flush=True)
    return Ended(process.returncode, process.stderr)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {
        **{name: value for name, value in own.items() if name not in _OF_RANKS and not name.startswith("TORCHELASTIC")},
        LAUNCHER_VARIABLE: str(os.getpid()),
    }
