"""How much of some files this process has read, though a library reads them: what it mapped into memory, or read from files."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

_PROCESS = Path("/proc/self")


def bytes_read(files: Sequence[Path]) -> Callable[[], int]:
    """Begin to watch files of this process; each call says how many of their bytes it has read so far."""
    sizes = {str(path): path.stat().st_size for path in files}
    most = dict.fromkeys(sizes, 0)
    start = _read_by_main_thread()

    def read() -> int:
        mapped = _mapped(sizes)
        for name, size in sizes.items():
            # A file that was mapped and is no more was read.
            most[name] = max(most[name], mapped.get(name, size if most[name] else 0))
        return max(sum(most.values()), min(_read_by_main_thread() - start, sum(sizes.values())))

    return read


def _mapped(names: dict[str, int]) -> dict[str, int]:
    """Say how much of each file lies in this process's memory."""
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
    # Other threads read too, such as the one that asks here.
    lines = _lines(_PROCESS / "task" / str(os.getpid()) / "io")
    return sum(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


def _lines(path: Path) -> list[str]:
    """Read what the kernel tells; nothing where it does not, as outside of Linux."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
