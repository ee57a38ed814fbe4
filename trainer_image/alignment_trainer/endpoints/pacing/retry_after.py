"""Reads how long a server asks its clients to wait; pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_A_MOMENT = 1_000_000_000
"""So many seconds are no time to wait, but a moment: some servers send one as Unix time."""


def wait_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read retry-after-ms, or Retry-After as a number of seconds or a date; None if the server names no time."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after", "")
    seconds = _number(asked)
    if seconds is None:
        return _seconds_until(asked, now)
    return seconds if seconds < _A_MOMENT else max(0.0, seconds - now.timestamp())


def _number(written: str) -> float | None:
    try:
        number = float(written)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _seconds_until(written: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
