"""The journal of metrics of one stage: one line a point, each value once, whatever is trained again after a restart."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.names import METRICS_FILE
from alignment_api.progress import Course

_PROGRESS = (metrics.TOTAL_STEPS, metrics.SECONDS_LEFT)


class Point(NamedTuple):
    """What was measured at a step."""

    time: int
    step: int
    metrics: dict[str, float]


class Journal:
    """Appends to a stage's journal."""

    def __init__(self, stage: Path) -> None:
        path = stage / METRICS_FILE
        _drop_torn_line(path)
        points = list(read_points(path))
        self._known = {(point.step, name) for point in points for name in point.metrics}
        self._highest = max((point.step for point in points), default=0)
        self._file = path.open("a", encoding="utf-8")

    def append(self, step: int, values: Mapping[str, float], progress: Mapping[str, float]) -> None:
        """Write what is new at this step, and how far training is."""
        new = {name: value for name, value in values.items() if (step, name) not in self._known}
        if new:
            self._known.update((step, name) for name in new)
        elif not progress:
            return
        # While steps are trained again, progress is told at the highest step: readers take the newest word on that one,
        # and would take silence for a stall.
        self._highest = max(self._highest, step)
        point = {"time": time.time_ns() // 1_000_000, "step": step if new else self._highest, "metrics": {**new, **progress}}
        self._file.write(json.dumps(point) + "\n")
        self._file.flush()

    def flush_to_disk(self) -> None:
        """Bring all points to the disk."""
        os.fsync(self._file.fileno())


class JournalTail:
    """Reads a journal as it grows, each point once; where another file has taken its name, that one from its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode: int | None = None
        self._end, self._course = 0, Course()
        self.trained_milliseconds = 0
        """When a step was last trained, since 1970; what is told before the first one tells nothing of the time left."""

    def read(self) -> Course:
        """Give all that was measured so far."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            self._begin(None)
            return self._course
        if state.st_ino != self._inode or state.st_size < self._end:
            self._begin(state.st_ino)
        while self._read_on():
            pass
        return self._course

    def _read_on(self) -> bool:
        """Take the points that are new; after a line that is none, which is left out, there may be more."""
        try:
            for point, end in read_points_with_ends(self._path, self._end):
                self._course.add(*point)
                self._end = end
                if metrics.SECONDS_LEFT in point.metrics:
                    self.trained_milliseconds = point.time
        except (ValueError, TypeError) as error:
            print(f"{self._path} has a line that is not a point ({error}); it is skipped", file=sys.stderr, flush=True)
            with self._path.open("rb") as file:
                file.seek(self._end)
                self._end += len(file.readline())
            return True
        return False

    def _begin(self, inode: int | None) -> None:
        self._inode, self._end, self._course = inode, 0, Course()
        self.trained_milliseconds = 0


def read_points(path: Path, start: int = 0) -> Iterator[Point]:
    """Read the whole points of a journal, from a byte on."""
    for point, _ in read_points_with_ends(path, start):
        yield point


def read_points_with_ends(path: Path, start: int = 0) -> Iterator[tuple[Point, int]]:
    """Read whole points, each with the byte at which it ends; a line that is still being written is not there yet."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        end = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield Point(**json.loads(line)), end


def latest_values(path: Path) -> dict[str, float]:
    """Give the last value of each metric."""
    latest: dict[str, float] = {}
    for point in read_points(path):
        latest.update(point.metrics)
    return {name: value for name, value in latest.items() if name not in _PROGRESS}


def last_step(path: Path) -> int | None:
    """Give the highest step of the journal."""
    return max((point.step for point in read_points(path)), default=None)


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
