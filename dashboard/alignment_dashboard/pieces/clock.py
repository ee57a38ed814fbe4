"""The time of day where the reader is."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def write_clock(moment: datetime) -> str:
    """Return hours and minutes of a moment in the reader's time zone; where the browser names none, in UTC, and say so."""
    zone = _zone(st.context.timezone or "")
    return f"{moment.astimezone(zone):%H:%M}" if zone else f"{moment.astimezone(UTC):%H:%M} UTC"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
