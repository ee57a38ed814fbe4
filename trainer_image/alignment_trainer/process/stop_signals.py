"""Takes a request to stop from the first moment on, which the first process of a pod would ignore; nothing here loads long"""

import json
import os
import signal
import threading

from alignment_trainer.process.termination import write_termination

_STOPPED = 75
_CLEANUP_SECONDS = 5.0
MESSAGE = "stopped on request, before training began"


def exit_on_request() -> None:
    """End at once when somebody asks, until somebody else takes the signals over."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: leave())


def exit_after_cleanup() -> None:
    """Give what is being done a few seconds to end by itself, and end it all then."""
    timer = threading.Timer(_CLEANUP_SECONDS, leave)
    timer.daemon = True
    timer.start()


def leave() -> None:
    """Say that the stage was stopped, and end; processes that were started end with this one."""
    write_termination(json.dumps({"exit_code": _STOPPED, "reason": "Stopped", "message": MESSAGE}))
    # Past Python's buffers: the signal may have come while one was being written to.
    os.write(2, f"Stopped: {MESSAGE}\n".encode())
    os._exit(_STOPPED)
