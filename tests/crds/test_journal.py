"""Which lines of a journal are points."""

import json
from pathlib import Path

import pytest
from alignment_api.journal import Point, read_lines, read_points

POINT = {"time": 1000, "step": 3, "metrics": {"train/loss": 0.5}}
LINES: list[tuple[str, str, bool]] = [
    ("a point", json.dumps(POINT), True),
    ("NaN is a number", json.dumps({**POINT, "metrics": {"train/loss": float("nan")}}), True),
    ("not JSON", "garbage", False),
    ("an empty line", "", False),
    ("not an object", "[]", False),
    ("no step", json.dumps({"time": 1000, "metrics": {}}), False),
    ("another field", json.dumps({**POINT, "more": 1}), False),
    ("a step that is text", json.dumps({**POINT, "step": "3"}), False),
    ("a metric that is text", json.dumps({**POINT, "metrics": {"train/loss": "0.5"}}), False),
    ("a step that is trained again", json.dumps({**POINT, "metrics": {}, "progress": {"progress/seconds_left": 7}}), True),
    ("a progress that is text", json.dumps({**POINT, "progress": {"progress/seconds_left": "7"}}), False),
    ("a progress that is a number", json.dumps({**POINT, "progress": 7}), False),
    ("the end of a line", json.dumps(POINT)[20:], False),
]


@pytest.mark.parametrize(("line", "is_point"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_a_line_that_is_not_a_point_is_skipped_with_its_reason(line: str, is_point: bool, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{line}\n{json.dumps(POINT)}\n")
    assert len(list(read_points(path))) == 1 + is_point
    first, second = read_lines(path)
    assert (first.end, first.point is not None, first.fault == "") == (len(line) + 1, is_point, is_point)
    assert (second.end, second.point) == (path.stat().st_size, Point(**POINT))  # type: ignore[arg-type]


def test_a_journal_is_read_from_a_byte_on(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert list(read_lines(path)) == []
    path.write_text(f"{json.dumps(POINT)}\n{json.dumps({**POINT, 'step': 4})}\n" + '{"time": 1, "st')
    first, second = read_lines(path)
    assert [point.step for point in read_points(path, first.end)] == [4]
    assert list(read_lines(path, second.end)) == []
