"""A message in a frame, its text shown as it is; Streamlit's own alerts would make links of what looks like one."""

import streamlit as st

from alignment_dashboard.data.listing import Failure
from alignment_dashboard.status import Colour
from alignment_dashboard.text import plain


def show_notice(label: str, colour: Colour, message: str) -> None:
    """Show a message under a word that says what it is."""
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.badge(plain(label), color=colour)
        st.text(message, width="stretch")


def show_failures(failures: tuple[Failure, ...]) -> None:
    """Say why the jobs may be old or not all, and what mends it."""
    for failure in failures:
        show_notice(failure.label, "orange", failure.message)
        if failure.command:
            st.code(failure.command, language="shell")
