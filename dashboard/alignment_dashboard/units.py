"""Formats numbers and times, the same on every page."""

from datetime import datetime

from alignment_api.durations import readable_duration


def write_age(moment: datetime | None, now: datetime) -> str:
    """Write how long ago a moment was; seconds are shown only in the first minute."""
    if moment is None:
        return "–"
    return f"{write_duration((now - moment).total_seconds())} ago"


def write_duration(seconds: float) -> str:
    """Write a duration; seconds are shown only in the first minute."""
    return readable_duration(seconds if seconds < 60 else seconds // 60 * 60)


def is_number(value: object) -> bool:
    """Return whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def write_number(value: float | None) -> str:
    """Write a measured number with four significant digits."""
    return "–" if value is None else short_exponent(f"{value:.4g}")


def write_value(value: str | float | bool) -> str:
    """Write a value of a configuration in full, as people write it: 5e-7, 0.1, 1, true."""
    if isinstance(value, bool):
        return str(value).lower()
    return short_exponent(repr(float(value)).removesuffix(".0")) if isinstance(value, float) else str(value)


def short_exponent(number: str) -> str:
    """Write 5e-07 as 5e-7."""
    digits, e, exponent = number.partition("e")
    return f"{digits}e{int(exponent)}" if e else number.replace("nan", "NaN")
