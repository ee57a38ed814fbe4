"""Reads from environment variables where the jobs are."""

import json
import os
from typing import Literal

Source = Literal["folder", "kubernetes"]


def source() -> Source:
    """Return ALIGNMENT_SOURCE, or the local folder if it is not set. Raises ValueError."""
    value = os.environ.get("ALIGNMENT_SOURCE") or "folder"
    known: dict[str, Source] = {"folder": "folder", "kubernetes": "kubernetes"}
    if value in known:
        return known[value]
    raise ValueError(f"ALIGNMENT_SOURCE is {value!r}; set it to kubernetes, or leave it out to read the local folder")


def namespaces() -> tuple[str, ...]:
    """Return ALIGNMENT_NAMESPACES; empty means all namespaces. Raises ValueError."""
    text = os.environ.get("ALIGNMENT_NAMESPACES") or "[]"
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        return tuple(dict.fromkeys(names))
    raise ValueError(f'ALIGNMENT_NAMESPACES is {text}; give a JSON list of names, such as ["team-a", "team-b"]')
