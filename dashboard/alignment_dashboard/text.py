"""Keeps text that comes from jobs from being read as markdown, HTML, links or icons."""

import re


def plain(text: str) -> str:
    """Escape all that Streamlit's markdown gives a meaning to."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)
