"""Recognizes that another process of the stage ended, from the exception that torch raises then."""

import torch

_SIGNS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Socket closed",
    "Broken pipe",
    "remote process exited",
    "Timed out waiting",
)


def is_lost_peer(error: Exception) -> bool:
    """Return whether an exception means that this process lost its connection to another one."""
    if isinstance(error, torch.distributed.DistNetworkError | torch.distributed.DistStoreError):
        return True
    text = f"{type(error).__name__}: {error}"
    return ("gloo" in text or "NCCL" in text) and any(sign in text for sign in _SIGNS)
