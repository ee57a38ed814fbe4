"""Handles stop signals from the first moment, which PID 1 of a pod would otherwise ignore; imports nothing that loads slowly."""

import json
import os
import signal
import threading

from alignment_trainer.process.termination import write_termination

_STOPPED = 75
_CLEANUP_SECONDS = 5.0
MESSAGE = "stopped on request, before training began"


def exit_on_request() -> None:
    """Exit at once on SIGTERM or SIGINT, until other handlers replace these."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _exit_as_stopped())


def exit_after_cleanup() -> None:
    """Let the current work end by itself for a few seconds, then exit."""
    timer = threading.Timer(_CLEANUP_SECONDS, _exit_as_stopped)
    timer.daemon = True
    timer.start()


def _exit_as_stopped() -> None:
    """Report that the stage was stopped, and exit; child processes end with this one."""
    write_termination(json.dumps({"exit_code": _STOPPED, "reason": "Stopped", "message": MESSAGE}))
    # Not through Python's buffers: the signal may have interrupted a write to one.
    os.write(2, f"Stopped: {MESSAGE}\n".encode())
    os._exit(_STOPPED)
