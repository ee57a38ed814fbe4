"""Reads the files of a run from a folder of this machine."""

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from alignment_dashboard.store.store import StoredFile, StoreUnavailable


def list_files(uri: str, folder: str) -> list[StoredFile]:
    """Return the files in a folder below a run's uri; none if there is no such folder."""
    root = _root(uri)
    try:
        with os.scandir(root / folder) as found:
            files = [StoredFile(f"{folder}/{entry.name}", entry.stat().st_size) for entry in found if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreUnavailable(f"{root / folder} cannot be read: {error.strerror}.") from error
    return sorted(files)


def read_end(uri: str, path: str, most: int) -> bytes:
    """Return the last bytes of a file below a run's uri, at most so many."""
    return read_last_bytes(_root(uri) / path, most)


def read_last_bytes(path: Path, most: int) -> bytes:
    """Return the last bytes of a file, at most so many."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read(most)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be read: {error.strerror}.") from error


def _root(uri: str) -> Path:
    address = urlsplit(uri)
    if address.scheme not in ("", "file"):
        raise StoreUnavailable(f"The files of this run are at {address.scheme}://, which only a server of MLflow can read.")
    return Path(url2pathname(address.path)) if address.scheme else Path(uri)
