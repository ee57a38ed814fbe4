"""Ties a process to its parent, so that no process keeps training after its supervisor was killed."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1


LAUNCHER_VARIABLE = "ALIGNMENT_LAUNCHER_PID"
"""The process that started this one, and without which it ends."""


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies; only Linux can do this."""
    _ask_for(signal.SIGKILL)
    # The parent may have died before this request.
    if os.getppid() != parent and sys.platform == "linux":
        os._exit(128 + signal.SIGKILL)


@contextmanager
def stopping_with(parent: int | None) -> Iterator[None]:
    """Ask the kernel for a SIGTERM if the parent dies before the block ends; without a parent, change nothing."""
    if parent is None:
        yield
        return
    _ask_for(signal.SIGTERM)
    try:
        if os.getppid() != parent and sys.platform == "linux":
            os.kill(os.getpid(), signal.SIGTERM)
        yield
    finally:
        _ask_for(0)


def _ask_for(number: int) -> None:
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
