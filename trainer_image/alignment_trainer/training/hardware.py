"""What training gets out of its hardware: tokens per second, the share of the peak FLOPs, and the peak of memory."""

import re
import resource
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from accelerate import PartialState

_GIB = 1 << 30
_LINUX_UNIT = 1 << 10
_TERA = 1e12
_PEAK_TERAFLOPS = {
    # Dense bfloat16 with 32-bit accumulation, from NVIDIA's data sheets. Keys are words of the name that torch reports; more
    # specific keys come first.
    ("H100", "PCIe"): 756,
    ("H100", "NVL"): 835,
    ("H100",): 989,
    ("H200",): 989,
    ("B200",): 2250,
    ("A100",): 312,
    ("A30",): 165,
    ("A10",): 125,
    ("L40S",): 362,
    ("L4",): 121,
}


class Work(NamedTuple):
    """FLOPs per token, and the peak of all GPUs of the stage together; None where the peak is not known."""

    flops_per_token: float
    peak_flops: float | None


def peak_flops(devices: Sequence[str]) -> float | None:
    """Add up the peaks of GPUs by their names; return None where one of them is not known."""
    peaks = [_peak(name) for name in devices]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) * _TERA if known and len(known) == len(peaks) else None


def flops_per_token(parameters: int, trains_all: bool) -> float:
    """Count a multiplication and an addition per weight, forward and backward; frozen weights need no gradient of their own."""
    return (6.0 if trains_all else 4.0) * parameters


def rates(logs: Mapping[str, float], seconds: float, work: Work) -> dict[str, float]:
    """Return the rates of a step that took `seconds`."""
    found = {f"{amount}_per_second": logs[amount] / seconds for amount in ("tokens", "pairs") if amount in logs}
    if work.peak_flops and "tokens" in logs:
        found["model_flops_utilization"] = found["tokens_per_second"] * work.flops_per_token / work.peak_flops
    return found


def peak_memory() -> dict[str, float]:
    """Return the highest peak of all processes, in GiB: of the GPU since the policy was last asked, or of the process so far."""
    state = PartialState()
    peaks = _peaks(state.device)
    table = torch.tensor(list(peaks.values()), dtype=torch.float64, device=state.device)
    if state.num_processes > 1:
        torch.distributed.all_reduce(table, op=torch.distributed.ReduceOp.MAX)
    return dict(zip(peaks, table.tolist(), strict=True))


def _peak(name: str) -> float | None:
    words = set(re.split(r"[\s-]+", name))
    return next((peak for words_of_name, peak in _PEAK_TERAFLOPS.items() if words.issuperset(words_of_name)), None)


def _peaks(device: torch.device) -> dict[str, float]:
    if device.type == "cuda":
        return {
            "memory/allocated_gib": torch.cuda.max_memory_allocated(device) / _GIB,
            "memory/reserved_gib": torch.cuda.max_memory_reserved(device) / _GIB,
        }
    return {"memory/resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _LINUX_UNIT / _GIB}
