"""How much of some files this process has read, though a library reads them: what is mapped into memory, or came from a disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

_PROCESS = Path("/proc/self")


def bytes_read(files: Sequence[Path]) -> Callable[[], int]:
    """Begin to watch files of this process; each call says how many of their bytes it has read so far."""
    sizes = {str(path): path.stat().st_size for path in files}
    most = dict.fromkeys(sizes, 0)
    start = _from_disks()

    def read() -> int:
        mapped = _mapped(sizes)
        for name, size in sizes.items():
            # A file that was mapped and is no more was read.
            most[name] = max(most[name], mapped.get(name, size if most[name] else 0))
        return max(sum(most.values()), min(_from_disks() - start, sum(sizes.values())))

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


def _from_disks() -> int:
    return sum(int(line.split()[1]) for line in _lines(_PROCESS / "io") if line.startswith("read_bytes:"))


def _lines(path: Path) -> list[str]:
    """Read what the kernel tells; nothing where it does not, as outside of Linux."""
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
