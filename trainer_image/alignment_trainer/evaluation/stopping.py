"""Ends a stage soon when it is requested to stop: what is measured is on the volume already."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from accelerate import PartialState

from alignment_trainer.failures import Stopped


@contextmanager
def stopping_soon() -> Iterator[None]:
    """Let SIGTERM raise Stopped in the first process, where the block runs; the others end at once, even while they wait."""
    if not PartialState().is_main_process:
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    # A second signal ends the process at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Stopped("stopped on request; all rows measured so far are kept, and the next attempt continues with them")
