"""A message in a frame, shown as plain text; Streamlit's own alerts would turn text that looks like a link into one."""

import streamlit as st

from alignment_dashboard.data.listing import Failure
from alignment_dashboard.facts.status import Colour
from alignment_dashboard.text import plain


def show_notice(label: str, colour: Colour, message: str) -> None:
    """Show a message beside a badge with its kind."""
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.badge(plain(label), color=colour)
        st.text(message, width="stretch")


def show_failures(failures: tuple[Failure, ...]) -> None:
    """Show why the jobs may be stale or incomplete, and the command that repairs it."""
    for failure in failures:
        show_notice(failure.label, "orange", failure.message)
        if failure.command:
            st.code(failure.command, language="shell")
