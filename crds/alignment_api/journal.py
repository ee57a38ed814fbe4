"""Reads a stage's journal of metrics: a file of lines, each the JSON of one point."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Point(NamedTuple):
    """What was measured at a step; the time is in milliseconds since 1970."""

    time: int
    step: int
    metrics: dict[str, float]
    """Measurements: over the whole journal, each metric has one value for each step."""
    progress: Mapping[str, float] = MappingProxyType({})
    """The progress of training at this time, if the step has another value already, as when it is trained again."""

    @property
    def newest(self) -> dict[str, float]:
        """Return all values that are newer than those of the points before."""
        return {**self.metrics, **self.progress}


class Line(NamedTuple):
    """One whole line of a journal, and the byte at which it ends."""

    end: int
    point: Point | None
    fault: str = ""
    """Why the line holds no point."""


def read_lines(path: Path, start: int = 0) -> Iterator[Line]:
    """Read the whole lines of a journal from a byte on; a line that is still being written is not read."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        end = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            try:
                yield Line(end, _point(line))
            except (ValueError, TypeError) as error:
                yield Line(end, None, str(error))


def read_points(path: Path, start: int = 0) -> Iterator[Point]:
    """Read the points of a journal from a byte on; lines without a point are skipped."""
    return (line.point for line in read_lines(path, start) if line.point)


def _point(line: bytes) -> Point:
    point = Point(**json.loads(line))
    if not (isinstance(point.time, int) and isinstance(point.step, int) and isinstance(point.metrics, dict)):
        raise ValueError("time and step must be whole numbers, and metrics an object")
    if not all(isinstance(value, float | int) for value in point.newest.values()):
        raise ValueError("metrics and progress must be numbers")
    return point
