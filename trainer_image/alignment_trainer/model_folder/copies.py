"""The list of files that an exported folder and each of its copies have: what tells a whole copy from half of one."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alignment_trainer.workspace.hashes import hash_file

LIST_FILE = "export.json"


class ListedFile(BaseModel):
    """One file of an exported folder."""

    size: int
    sha256: str


class FileList(BaseModel):
    """All files of an exported folder but this list."""

    weights: str
    """The hash of the weights."""
    files: dict[str, ListedFile]


def list_files(folder: Path, weights: str) -> FileList:
    """Hash the files of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LIST_FILE)
    files = {path.relative_to(folder).as_posix(): ListedFile(size=path.stat().st_size, sha256=hash_file(path)) for path in paths}
    return FileList(weights=weights, files=files)


def is_export(folder: Path) -> bool:
    """Return whether a folder was exported; any other must not be replaced."""
    return (folder / LIST_FILE).exists() or (folder.is_dir() and not any(folder.iterdir()))


def read_list(text: str | None) -> FileList | None:
    """Read the list of a copy; None where there is none, or it is none of ours."""
    try:
        document: Any = json.loads(text or "null")
        return FileList.model_validate(document) if document else None
    except ValueError:
        return None
