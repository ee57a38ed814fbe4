"""Formats numbers and times, the same on every page."""

from datetime import datetime

from alignment_api.durations import readable_duration


def write_age(moment: datetime | None, now: datetime) -> str:
    """Write how long ago a moment was; seconds are shown only in the first minute."""
    if moment is None:
        return "–"
    seconds = (now - moment).total_seconds()
    return f"{readable_duration(seconds if seconds < 60 else seconds // 60 * 60)} ago"


def shorten(text: str, length: int) -> str:
    """Cut a text to a length, and end it with an ellipsis if it was longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def write_number(value: float | None) -> str:
    """Write a measured number with four significant digits."""
    return "–" if value is None else f"{value:.4g}"
