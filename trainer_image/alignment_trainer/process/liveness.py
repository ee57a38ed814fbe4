"""When the processes of a stage were last seen to work: by their CPU time, page faults and I/O, as the kernel counts them."""

import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_WINDOW_SECONDS = 10.0
_CPU_SECONDS = 0.3
_FAULTS = 100
_BYTES = 1 << 20
"""What one process must do within the window. A process that waits stays far below all three (the launcher, which waits for other
nodes, takes 0.15 seconds and 34 kB), one that loads libraries or weights is above one of them even at a hundredth of a core."""


class Work(NamedTuple):
    """What the kernel has counted of one process so far."""

    parent: int
    cpu_seconds: float
    faults: int
    bytes: int


class Identity(NamedTuple):
    """A process; its number alone may be given away again."""

    number: int
    start_time: int


Processes = dict[Identity, Work]


class Liveness:
    """Looks at the descendants of a process from time to time, and at the process itself for as long as it works itself."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._seen: deque[tuple[float, Processes]] = deque()
        self.counts_root = True
        self.time = datetime.now(UTC)

    def look(self, now_seconds: float, processes: Processes) -> None:
        """Take note of what all processes have done so far."""
        mine = descendants(processes, self._root)
        if not self.counts_root:
            mine = {identity: work for identity, work in mine.items() if identity.number != self._root}
        while self._seen and now_seconds - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        if any(has_worked(before, mine) for _, before in self._seen):
            self.time = datetime.now(UTC)
        self._seen.append((now_seconds, mine))


def has_worked(before: Processes, now: Processes) -> bool:
    """Say whether any process did more than one that waits."""
    nothing = Work(0, 0, 0, 0)
    for identity, work in now.items():
        old = before.get(identity, nothing)
        if (
            work.cpu_seconds - old.cpu_seconds >= _CPU_SECONDS
            or work.faults - old.faults >= _FAULTS
            or work.bytes - old.bytes >= _BYTES
        ):
            return True
    return False


def descendants(processes: Processes, root: int) -> Processes:
    """Give a process and all that come from it."""
    numbers = {root}
    while more := {identity.number for identity, work in processes.items() if work.parent in numbers} - numbers:
        numbers |= more
    return {identity: work for identity, work in processes.items() if identity.number in numbers}


def read_processes() -> Processes:
    """Read what the kernel has counted of every process that may be seen."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # It may be gone by now, or be somebody else's.
            try:
                identity, work = _read(folder)
            except OSError:
                continue
            found[identity] = work
    return found


def _read(folder: Path) -> tuple[Identity, Work]:
    # The name, in brackets, may hold anything; fields are counted from what follows it, the state.
    fields = (folder / "stat").read_text(errors="replace").rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    work = Work(int(fields[1]), ticks / os.sysconf("SC_CLK_TCK"), int(fields[7]) + int(fields[9]), _io(folder))
    return Identity(int(folder.name), int(fields[19])), work


def _io(folder: Path) -> int:
    try:
        lines = (folder / "io").read_text().splitlines()
    except OSError:
        # Of a process of another user, or one that just ended.
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("rchar:", "wchar:")))
