"""Reads the JSON files of a model's folder, and says what is wrong with them."""

import json
from pathlib import Path
from typing import Any

from alignment_api.problems import first_line


class Unfit(Exception):
    """A model cannot be trained; the message continues a sentence that begins with the model, and says what to do."""


COPY = "copy the whole model folder again"


def check_file(path: Path) -> None:
    """Refuse anything but a file that can be read."""
    if path.is_symlink() and not path.exists():
        raise Unfit(f"has a link {path.name} to {path.readlink()}, which does not exist; copy the file itself")
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        raise Unfit(f"has {kind} in place of the file {path.name}; {COPY}")


def read_object(path: Path, what: str) -> dict[str, Any]:
    """Read a file that must contain one JSON object; `what` says of which model it should be copied."""
    check_file(path)
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unfit(f"has a {path.name} that is not valid JSON ({first_line(error)}); {what}") from None
    if not isinstance(document, dict):
        raise Unfit(f"has a {path.name} that is no JSON object; {what}")
    return document
