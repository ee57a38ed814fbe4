"""Keeps loaded libraries out of Python's search for garbage: with torch and TRL, a full search goes through 700,000 objects."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_libraries() -> Iterator[None]:
    """Pause the search while libraries are loaded, and leave out of later ones all objects that exist then."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
