"""Escapes text that comes from jobs, so that Streamlit does not read it as markdown, HTML, links or icons."""

import re


def plain(text: str) -> str:
    """Escape ASCII punctuation only: before any other character the page would show the backslash."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
