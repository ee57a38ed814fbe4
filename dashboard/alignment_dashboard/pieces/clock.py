"""The time of day where the reader is."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def write_clock(moment: datetime) -> str:
    """Return hours and minutes of a moment in the reader's time zone."""
    try:
        return moment.astimezone(ZoneInfo(st.context.timezone or "UTC")).strftime("%H:%M")
    except ZoneInfoNotFoundError:
        return moment.strftime("%H:%M UTC")
