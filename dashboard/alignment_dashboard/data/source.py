"""Reads from environment variables where the jobs are."""

import json
import os
from pathlib import Path
from typing import Literal

from alignment_api.home import Home

Source = Literal["folder", "kubernetes"]


def source() -> Source:
    """Return ALIGNMENT_SOURCE, or the local folder if it is not set. Raises ValueError."""
    value = os.environ.get("ALIGNMENT_SOURCE") or "folder"
    known: dict[str, Source] = {"folder": "folder", "kubernetes": "kubernetes"}
    if value in known:
        return known[value]
    raise ValueError(f"ALIGNMENT_SOURCE is {value!r}; set it to kubernetes, or leave it out to read the local folder")


def workspace() -> Path | None:
    """Return the folder in which the stages of local jobs keep their files; None for the jobs of a cluster."""
    return Home.from_environment().workspace if source() == "folder" else None


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
