"""The reader's theme."""

import streamlit as st


def is_dark() -> bool:
    """Return whether the reader's theme is dark."""
    return st.context.theme.type == "dark"
