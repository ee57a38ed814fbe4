"""Keeps loaded libraries out of Python's search for garbage: with torch and TRL, a full search goes through 700,000 objects."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_libraries() -> Iterator[None]:
    """Pause the search while libraries are loaded, and leave out of later ones all objects that exist then.

    If all were loaded before, nothing is left out: a process that asks again and again would keep the garbage of each time.
    """
    was_enabled, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if was_enabled:
            gc.enable()
