"""The time at which the processes of a stage last did work: by their CPU time, page faults and I/O, as the kernel counts them."""

import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

_WINDOW_SECONDS = 10.0
_CPU_SECONDS = 0.3
_FAULTS = 100
_BYTES = 1 << 20
"""A process that reaches one of these within the window counts as working. A waiting process stays far below all three (the
launcher, which waits for other nodes, takes 0.15 seconds and 34 kB); one that loads libraries or weights reaches one of them
even at a hundredth of a core."""


class Work(NamedTuple):
    """The kernel's counters of one process."""

    parent: int
    cpu_seconds: float
    faults: int
    bytes: int


class Identity(NamedTuple):
    """A process; its start time is part of it, because the kernel reuses process ids."""

    number: int
    start_time: int


Processes = dict[Identity, Work]


class Liveness:
    """Observes the descendants of a process, and the process itself while `counts_root` is true."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._seen: deque[tuple[float, Processes]] = deque()
        self.counts_root = True
        self.time = datetime.now(UTC)

    def look(self, now_seconds: float, processes: Processes) -> None:
        """Compare the counters with those of the last seconds, and update `time` if a process worked."""
        mine = descendants(processes, self._root)
        if not self.counts_root:
            mine = {identity: work for identity, work in mine.items() if identity.number != self._root}
        while self._seen and now_seconds - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        if any(has_worked(before, mine) for _, before in self._seen):
            self.time = datetime.now(UTC)
        self._seen.append((now_seconds, mine))


def has_worked(before: Processes, now: Processes) -> bool:
    """Return whether any process did more than a waiting process does."""
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
    """Return a process and all its descendants."""
    numbers = {root}
    while more := {identity.number for identity, work in processes.items() if work.parent in numbers} - numbers:
        numbers |= more
    return {identity: work for identity, work in processes.items() if identity.number in numbers}


def read_processes() -> Processes:
    """Read the kernel's counters of every visible process."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # The process may have ended, or belong to another user.
            try:
                identity, work = _read(folder)
            except OSError:
                continue
            found[identity] = work
    return found


def _read(folder: Path) -> tuple[Identity, Work]:
    # The name, in brackets, may contain any character; fields are counted from the state, which follows it.
    fields = (folder / "stat").read_text(errors="replace").rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    work = Work(int(fields[1]), ticks / os.sysconf("SC_CLK_TCK"), int(fields[7]) + int(fields[9]), _io(folder))
    return Identity(int(folder.name), int(fields[19])), work


def _io(folder: Path) -> int:
    try:
        lines = (folder / "io").read_text().splitlines()
    except OSError:
        # The process belongs to another user, or has just ended.
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("rchar:", "wchar:")))
