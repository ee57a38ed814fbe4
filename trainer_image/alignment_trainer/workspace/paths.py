"""The paths of workspace:// URIs."""

import unicodedata
from pathlib import Path
from typing import Literal

from alignment_api.names import WORKSPACE_PREFIX

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def workspace_path(uri: str, workspace: str) -> Path:
    """Return the path on the workspace volume that a workspace:// URI names; accents may be stored in either form of Unicode."""
    # macOS stores é as two signs, most editors write it as one, and both look the same.
    path = Path(workspace)
    for name in Path(uri.removeprefix(WORKSPACE_PREFIX)).parts:
        spellings = [name] if name.isascii() else [name, *(unicodedata.normalize(form, name) for form in _FORMS)]
        path = next((path / known for known in spellings if _exists(path / known)), path / name)
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # The name is too long, or its folder is closed to this user: the check of the files says so.
        return False
