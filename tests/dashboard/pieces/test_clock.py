"""A time of day is that of the reader, and says so where it is not."""

import pytest
from streamlit.testing.v1 import AppTest


def page() -> None:
    from datetime import UTC, datetime

    import streamlit as st
    from alignment_dashboard.pieces.clock import write_clock

    st.text(write_clock(datetime(2026, 1, 1, 12, 3, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/Berlin", "13:03"),
        ("Asia/Kolkata", "17:33"),
        ("UTC", "12:03"),
        (None, "12:03 UTC"),
        ("Moon/Tycho", "12:03 UTC"),
        ("../etc/passwd", "12:03 UTC"),
    ],
)
def test_the_clock_is_that_of_the_reader(zone: str | None, written: str) -> None:
    app = AppTest.from_function(page)
    app.context = {"timezone": zone}
    assert app.run().text[0].value == written
