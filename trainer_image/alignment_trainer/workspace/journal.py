"""The journal of metrics of one stage: one point per line, one value per metric and step, even if steps are trained again."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from alignment_api import metrics
from alignment_api.files import without_torn_line
from alignment_api.journal import Line, read_lines, read_points
from alignment_api.names import METRICS_FILE
from alignment_api.progress.course import Course

_PROGRESS = (metrics.TOTAL_STEPS, metrics.SECONDS_LEFT)


class Journal:
    """Appends to a stage's journal."""

    def __init__(self, stage: Path) -> None:
        path = stage / METRICS_FILE
        without_torn_line(path)
        points = list(read_points(path))
        self._known = {(point.step, name) for point in points for name in point.metrics}
        self._highest = max((point.step for point in points), default=0)
        self._file = path.open("a", encoding="utf-8")

    def append(self, step: int, values: Mapping[str, float], progress: Mapping[str, float]) -> None:
        """Write the values of this step that are new; progress is written in any case, so that readers see no stall."""
        known = {name: value for name, value in {**values, **progress}.items() if name != metrics.STEP}
        new = {name: value for name, value in known.items() if (step, name) not in self._known}
        if not new and not progress:
            return
        self._known.update((step, name) for name in new)
        self._highest = max(self._highest, step)
        point = {"time": time.time_ns() // 1_000_000, "step": step if new else self._highest, "metrics": new}
        again = {name: value for name, value in progress.items() if name not in new}
        self._file.write(json.dumps({**point, "progress": again} if again else point) + "\n")
        self._file.flush()

    def show(self, values: Mapping[str, float]) -> None:
        """Write values that count only until newer ones come, such as what was asked so far: no measurements of a step."""
        point = {"time": time.time_ns() // 1_000_000, "step": self._highest, "metrics": {}, "progress": dict(values)}
        self._file.write(json.dumps(point) + "\n")
        self._file.flush()

    def flush_to_disk(self) -> None:
        """Flush all points to the disk."""
        os.fsync(self._file.fileno())


class JournalTail:
    """Reads a growing journal, each point once; if the file was replaced, the new file is read from its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode: int | None = None
        self._end, self._course = 0, Course()
        self.trained_milliseconds = 0
        """When a step was last trained, in milliseconds since 1970; points before the first step have no time left."""

    def read(self) -> Course:
        """Return the course of training so far."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            self._begin(None)
            return self._course
        if state.st_ino != self._inode or state.st_size < self._end:
            self._begin(state.st_ino)
        for line in read_lines(self._path, self._end):
            self._take(line)
        return self._course

    def _take(self, line: Line) -> None:
        self._end = line.end
        if line.point is None:
            print(f"{self._path} has a line that is not a point ({line.fault}); it is skipped", file=sys.stderr, flush=True)
            return
        self._course.add(line.point.time, line.point.step, line.point.newest)
        if metrics.SECONDS_LEFT in line.point.newest:
            self.trained_milliseconds = line.point.time

    def _begin(self, inode: int | None) -> None:
        self._inode, self._end, self._course = inode, 0, Course()
        self.trained_milliseconds = 0


def latest_values(path: Path) -> dict[str, float]:
    """Return the last value of each metric."""
    latest: dict[str, float] = {}
    for point in read_points(path):
        latest.update(point.metrics)
    return {name: value for name, value in latest.items() if name not in _PROGRESS}


def last_step(path: Path) -> int | None:
    """Return the highest step of the journal."""
    return max((point.step for point in read_points(path)), default=None)
