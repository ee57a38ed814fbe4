"""Writes a duration as people read it."""

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def readable_duration(seconds: float) -> str:
    """Write a duration in its two largest units, as kubectl does: 2d7h, 1h12m, 3m20s, 1m."""
    left, parts = max(0, int(seconds)), []
    for unit, size in _UNITS:
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
        elif parts:
            break
    return "".join(parts[:2]) or "0s"
