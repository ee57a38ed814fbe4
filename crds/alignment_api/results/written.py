"""How tables write scores: as many digits as the standard error leaves a meaning."""

import math

from alignment_api.results.evaluation import Better, Estimate

MISSING = "–"
DIRECTIONS: dict[Better, str] = {"Higher": "↑", "Lower": "↓", "Neither": ""}
"""Which way a metric is better."""


def write_estimate(estimate: Estimate) -> str:
    """Write a value and its standard error, such as 0.412 ± 0.014."""
    if estimate.value is None:
        return MISSING
    if not estimate.error:
        return write_number(estimate.value) + ("" if estimate.error is None else " ± 0")
    decimals = _decimals(estimate.error)
    return f"{_fixed(estimate.value, decimals)} ± {_fixed(estimate.error, decimals)}"


def write_difference(estimate: Estimate) -> str:
    """Write a difference and its 95 % interval, such as +0.031 [+0.010, +0.052]."""
    if estimate.value is None:
        return MISSING
    if estimate.low is None or estimate.high is None:
        return write_number(estimate.value, "+")
    decimals = _decimals((estimate.high - estimate.low) / 2 or abs(estimate.value) or 1)
    value, low, high = (_fixed(number, decimals, "+") for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def write_number(value: float | None, sign: str = "") -> str:
    """Write a number with four significant digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    digits, e, exponent = f"{value:{sign}.4g}".partition("e")
    return _signed(f"{digits}e{int(exponent)}" if e else digits)


def write_count(estimate: Estimate) -> str:
    """Write on how many prompts a value rests, and how many have none."""
    return write_prompts(estimate.count) + (f", {estimate.failed:,} failed" if estimate.failed else "")


def write_prompts(count: int) -> str:
    """Write how many prompts there are."""
    return f"{count:,} {'prompt' if count == 1 else 'prompts'}"


def write_share(share: float | None) -> str:
    """Write a share in per cent."""
    return MISSING if share is None else f"{100 * share:.0f} %"


def write_bytes(size: int) -> str:
    """Write a size as people do."""
    number = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            break
        number, unit = number / 1000, {"B": "KB", "KB": "MB", "MB": "GB", "GB": "TB"}[unit]
    return f"{number:.3g} {unit}"


def _decimals(error: float) -> int:
    """Return with how many decimals two digits of an error are written."""
    return min(max(1 - math.floor(math.log10(error)), 0), 9)


def _fixed(value: float, decimals: int, sign: str = "") -> str:
    return _signed(f"{value:{sign},.{decimals}f}")


def _signed(number: str) -> str:
    """Write the minus sign of mathematics, which is as wide as a plus."""
    return number if "e" in number else number.replace("-", "−")
