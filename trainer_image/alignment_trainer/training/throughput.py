"""How fast training is: per second, and as a share of what the hardware could compute; without torch."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_TERA = 1e12
_PEAK_TERAFLOPS = {
    # Dense bfloat16 with sums in 32 bit, from NVIDIA's data sheets; words of the name that torch gives, the most telling first.
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
    """What a token costs, and what all GPUs of the stage could do; None where the peak is not known."""

    flops_per_token: float
    peak_flops: float | None


def peak_flops(devices: Sequence[str]) -> float | None:
    """Add up the peaks of GPUs by their names."""
    peaks = [_peak(name) for name in devices]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) * _TERA if known and len(known) == len(peaks) else None


def flops_per_token(parameters: int, trains_all: bool) -> float:
    """Count a multiplication and an addition for each weight, forward and back; weights that stay need no gradient."""
    return (6.0 if trains_all else 4.0) * parameters


def rates(logs: Mapping[str, float], seconds: float, work: Work) -> dict[str, float]:
    """Give the rates of a step that took so long."""
    found = {f"{amount}_per_second": logs[amount] / seconds for amount in ("tokens", "pairs") if amount in logs}
    if work.peak_flops and "tokens" in logs:
        found["model_flops_utilization"] = found["tokens_per_second"] * work.flops_per_token / work.peak_flops
    return found


def _peak(name: str) -> float | None:
    words = set(re.split(r"[\s-]+", name))
    return next((peak for telling, peak in _PEAK_TERAFLOPS.items() if words.issuperset(telling)), None)
