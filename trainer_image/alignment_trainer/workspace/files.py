"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import os
import socket
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once; after this returns it survives a power cut."""
    partial = _partial(path)
    partial.write_text(text, encoding="utf-8")
    flush(partial)
    partial.replace(path)
    flush(path.parent)


def write_at_once(path: Path, text: str) -> None:
    """Replace a file at once, and leave it to the system when it reaches the disk: for what is soon written anew."""
    partial = _partial(path)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _partial(path: Path) -> Path:
    # Pods share a volume, and their processes have the same numbers.
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")


def rename_whole(source: Path, target: Path) -> None:
    """Give a finished folder its name; after this returns it survives a power cut."""
    source.rename(target)
    flush(target.parent)


def flush_tree(folder: Path) -> None:
    """Bring a folder and all below it to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            flush(Path(parent) / name)
        flush(Path(parent))


def flush(path: Path) -> None:
    """Bring one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
