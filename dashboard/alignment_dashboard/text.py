"""Keeps text that comes from jobs from being read as markdown, HTML, links or icons."""

import re


def plain(text: str) -> str:
    """Escape all that Streamlit's markdown gives a meaning to; a backslash before any other sign would be shown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
