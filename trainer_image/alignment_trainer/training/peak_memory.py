"""How much memory the process that needs most has needed so far."""

import resource

import torch
from accelerate import PartialState

_GIB = 1 << 30
_LINUX_UNIT = 1 << 10


def peak_memory() -> dict[str, float]:
    """Give the peaks in GiB, the highest of all processes: of the GPU where there is one, else of the process."""
    state = PartialState()
    peaks = _peaks(state.device)
    table = torch.tensor(list(peaks.values()), dtype=torch.float64, device=state.device)
    if state.num_processes > 1:
        torch.distributed.all_reduce(table, op=torch.distributed.ReduceOp.MAX)
    return dict(zip(peaks, table.tolist(), strict=True))


def _peaks(device: torch.device) -> dict[str, float]:
    if device.type == "cuda":
        return {
            "memory/allocated_gib": torch.cuda.max_memory_allocated(device) / _GIB,
            "memory/reserved_gib": torch.cuda.max_memory_reserved(device) / _GIB,
        }
    return {"memory/resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _LINUX_UNIT / _GIB}
