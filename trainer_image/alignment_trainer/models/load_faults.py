"""Tells a model that cannot be loaded from what ends any other work: no memory, no disk, no peer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from alignment_trainer.failures import BadConfiguration, StageFailure
from alignment_trainer.process.lost_peers import is_lost_peer


@contextmanager
def loading(what: str, of: str) -> Iterator[None]:
    """Turn a failure of transformers to load a part of a model into a sentence: the same files would fail again."""
    try:
        yield
    except StageFailure:
        raise
    except Exception as error:
        if _is_of_the_machine(error):
            raise
        raise BadConfiguration(
            f"{of}: transformers cannot load {what} ({first_line(error)}); copy the model's files again, or name another model"
        ) from error


def first_line(error: Exception) -> str:
    """Return the kind of an exception and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _is_of_the_machine(error: Exception) -> bool:
    if isinstance(error, OSError):
        # transformers raises it without a number where a folder lacks a file.
        return error.errno is not None
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError | torch.AcceleratorError):
        return True
    return is_lost_peer(error) or "DefaultCPUAllocator" in str(error) or "CUDA error" in str(error)
