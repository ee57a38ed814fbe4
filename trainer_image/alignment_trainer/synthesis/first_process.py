"""Lets the first process work for hours while the others wait for it, without a collective that times out."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from alignment_trainer.failures import Stopped

Found = TypeVar("Found")

_EVERY_SECONDS = 60.0
"""Much less than a collective may take."""


def shared(find: Callable[[], Found]) -> Found:
    """Return what the first process finds: on a shared volume the others may see a new file later."""
    found: list[Any] = [find() if PartialState().is_main_process else None]
    broadcast_object_list(found)
    result: Found = found[0]
    return result


def on_first_process(work: Callable[[], None], every_seconds: float = _EVERY_SECONDS) -> None:
    """Do the work on the first process; all others return when it is done, and fail when the first one does."""
    if PartialState().num_processes == 1:
        work()
    elif PartialState().is_main_process:
        with _others_waiting(every_seconds):
            work()
    else:
        while _is_working(None):
            pass


@contextmanager
def _others_waiting(every_seconds: float) -> Iterator[None]:
    ended = threading.Event()
    lost: list[Exception] = []

    def tell() -> None:
        try:
            while not ended.wait(every_seconds):
                _is_working(True)
        except Exception as error:
            lost.append(error)
            # Without its peers this process must not go on paying: asking ends as on a real SIGTERM.
            _thread.interrupt_main(signal.SIGTERM)

    # The work itself needs the main thread, which gets the signals.
    thread = threading.Thread(target=tell, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    except Stopped:
        if not lost:
            raise
    finally:
        ended.set()
        thread.join()
    if lost:
        raise lost[0]
    # Not after a failure: the others then fail with this process.
    _is_working(False)


def _is_working(told: bool | None) -> bool:
    answer = [told]
    broadcast_object_list(answer)
    return bool(answer[0])
