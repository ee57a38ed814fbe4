"""Writes files and folders so that a crash leaves the old one or the new one, and two processes never half of each."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers of a write for which a volume has no room, or a quota none for this user."""


def write_whole(path: Path, text: str, survives_power_cut: bool = True) -> None:
    """Replace a file: readers see the old text or the new one, also after a power cut unless `survives_power_cut` is false."""
    partial = _partial(path)
    try:
        partial.write_text(text, encoding="utf-8")
        if survives_power_cut:
            flush(partial)
        partial.replace(path)
    except OSError as error:
        # On a full disk its bytes are missed; and an error of a write names no file.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise
    if survives_power_cut:
        flush(path.parent)


def without_torn_line(path: Path) -> None:
    """Cut off what a crash has left of the last line; only the end of the file is read."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        size = end
        while size:
            start = max(0, size - 65536)
            file.seek(start)
            found = file.read(size - start).rfind(b"\n")
            if found >= 0:
                size = start + found + 1
                break
            size = start
        if size < end:
            file.truncate(size)


def _partial(path: Path) -> Path:
    # Pods share a volume, and their processes have the same ids, so the name contains the host.
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")


def write_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside its name, and give it the name, in place of an earlier one, when all of it is on the disk."""
    staged = target.with_name(f".{target.name}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    write(staged)
    flush_tree(staged)
    shutil.rmtree(target, ignore_errors=True)
    rename_whole(staged, target)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON, one a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def set_aside(damaged: Path) -> Path:
    """Rename a damaged file, in place of one set aside before, and return its new name."""
    return damaged.replace(damaged.with_name(f"{damaged.name}.damaged"))


def rename_whole(source: Path, target: Path) -> None:
    """Rename a finished folder, so that the new name survives a power cut."""
    source.rename(target)
    flush(target.parent)


def flush_tree(folder: Path) -> None:
    """Flush a folder and all files and folders below it to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            flush(Path(parent) / name)
        flush(Path(parent))


def flush(path: Path) -> None:
    """Flush one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of one thing in a folder; processes of this and other pods that want it wait."""
    with (folder / f".{what}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                raise
            # The volume has no locks: in the rare case that two processes do this at once, it is done twice.
        yield
