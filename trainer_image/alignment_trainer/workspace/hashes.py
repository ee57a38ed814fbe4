"""Hashes of files."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from alignment_trainer.workspace.activity import Advance, advancing

_BLOCK = 1 << 20


def hash_file(path: Path, advance: Advance = lambda count: None) -> str:
    """Hash a file's content, and pass the size of each block that was read to `advance`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def hash_files(paths: Iterable[Path], hash_one: Callable[[Path, Advance], str] = hash_file) -> str:
    """Hash the names and contents of files, in the given order."""
    files = list(paths)
    with advancing("hashing files", sum(path.stat().st_size for path in files), "bytes") as advance:
        lines = [f"{path.name}:{hash_one(path, advance)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
