"""Measures how many bytes of files a library has read in this process, from memory maps and read counters of the kernel."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

_PROCESS = Path("/proc/self")


def bytes_read(files: Sequence[Path]) -> Callable[[], int]:
    """Start to watch files; each call of the result returns how many of their bytes this process has read so far."""
    sizes = {str(path): path.stat().st_size for path in files}
    most = dict.fromkeys(sizes, 0)
    start = _read_by_main_thread()

    def read() -> int:
        mapped = _mapped(sizes)
        for name, size in sizes.items():
            # A file that was mapped earlier and is no longer mapped was read to its end.
            most[name] = max(most[name], mapped.get(name, size if most[name] else 0))
        return max(sum(most.values()), min(_read_by_main_thread() - start, sum(sizes.values())))

    return read


def _mapped(names: dict[str, int]) -> dict[str, int]:
    """Return how many bytes of each file are in this process's memory."""
    found: dict[str, int] = {}
    name = ""
    for line in _lines(_PROCESS / "smaps"):
        first, _, rest = line.partition(" ")
        if not first.endswith(":"):
            # address, rights, offset, device, inode, and the file's name, which may hold spaces.
            name = line.split(maxsplit=5)[5] if line.count(" ") >= 5 and "/" in line else ""
        elif first == "Rss:" and name in names:
            found[name] = found.get(name, 0) + int(rest.split()[0]) * 1024
    return {name: min(read, names[name]) for name, read in found.items()}


def _read_by_main_thread() -> int:
    # Only the main thread: other threads read files too, such as the one that calls this.
    lines = _lines(_PROCESS / "task" / str(os.getpid()) / "io")
    return sum(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


def _lines(path: Path) -> list[str]:
    """Read the lines of a kernel file; none if it cannot be read, as outside of Linux."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
