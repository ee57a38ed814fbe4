import json
import time

from alignment_api import metrics
from alignment_api.journal import read_lines, read_points
from alignment_trainer.workspace.journal import Journal, JournalTail, last_step, latest_values


def progress(left):
    return {metrics.TOTAL_STEPS: 10.0, metrics.SECONDS_LEFT: left}


def test_a_value_is_written_once_even_if_its_step_is_trained_again(tmp_path):
    first = Journal(tmp_path)
    for step in range(1, 6):
        first.append(step, {"train/loss": 1 / step}, progress(10 - step))
    again = Journal(tmp_path)
    for step in range(4, 8):
        again.append(step, {"train/loss": 1 / step}, progress(10 - step))
    points = list(read_points(tmp_path / "metrics.jsonl"))
    for name in ("train/loss", metrics.TOTAL_STEPS, metrics.SECONDS_LEFT):
        assert [point.step for point in points if name in point.metrics] == [1, 2, 3, 4, 5, 6, 7]


def test_repeated_steps_are_reported_as_progress_at_the_highest_step(tmp_path):
    Journal(tmp_path).append(5, {"train/loss": 1.0}, progress(5))
    before, tail = time.time_ns() // 1_000_000, JournalTail(tmp_path / "metrics.jsonl")
    again = Journal(tmp_path)
    again.append(4, {"train/loss": 1.0}, progress(7))
    again.append(5, {"train/loss": 1.0}, progress(6))
    _, new, known = read_points(tmp_path / "metrics.jsonl")
    assert (new.step, new.metrics, new.progress) == (4, {"train/loss": 1.0, **progress(7)}, {})
    assert (known.step, known.metrics, known.progress) == (5, {}, progress(6))
    assert last_step(tmp_path / "metrics.jsonl") == 5
    shown = tail.read().progress()
    assert (shown.step, shown.seconds_left, shown.metrics) == (5, 6, {metrics.LOSS: 1.0})
    assert tail.trained_milliseconds >= before


def test_where_an_attempt_stands_is_progress_and_no_measurement(tmp_path):
    Journal(tmp_path).append(5, {"rows/written": 5.0}, {**progress(5), metrics.STEP: 5.0})
    Journal(tmp_path).append(3, {"rows/written": 3.0}, {metrics.TOTAL_STEPS: 10.0, metrics.STEP: 3.0})
    points = list(read_points(tmp_path / "metrics.jsonl"))
    assert [dict(point.progress) for point in points] == [{metrics.STEP: 5.0}, {metrics.STEP: 3.0}]
    assert not any(metrics.STEP in point.metrics for point in points)
    shown = JournalTail(tmp_path / "metrics.jsonl").read().progress()
    assert (shown.step, shown.total_steps, shown.seconds_left) == (3, 10, None)


def test_a_new_value_of_a_repeated_step_comes_with_its_progress(tmp_path):
    Journal(tmp_path).append(5, {"train/loss": 1.0}, progress(5))
    Journal(tmp_path).append(5, {"eval/loss": 2.0}, progress(6))
    *_, point = read_points(tmp_path / "metrics.jsonl")
    assert (point.step, point.metrics, point.progress) == (5, {"eval/loss": 2.0}, progress(6))


def test_evaluation_at_a_trained_step_is_new(tmp_path):
    journal = Journal(tmp_path)
    journal.append(5, {"train/loss": 1.0}, {})
    journal.append(5, {"eval/loss": 2.0}, {})
    journal.append(5, {"eval/loss": 3.0}, {})
    assert latest_values(tmp_path / "metrics.jsonl") == {"train/loss": 1.0, "eval/loss": 2.0}


def test_a_torn_line_is_neither_read_nor_continued(tmp_path):
    path = tmp_path / "metrics.jsonl"
    Journal(tmp_path).append(1, {"train/loss": 1.0}, {})
    whole = path.stat().st_size
    with path.open("a") as file:
        file.write('{"time": 1, "st')
    assert [line.end for line in read_lines(path)] == [whole]
    Journal(tmp_path).append(2, {"train/loss": 0.5}, {})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2]


def test_a_tail_reads_each_point_once_and_starts_again_with_another_file(tmp_path):
    tail = JournalTail(tmp_path / "metrics.jsonl")
    assert tail.read().progress() is None
    journal = Journal(tmp_path)
    journal.append(1, {}, {metrics.TOTAL_STEPS: 4.0})
    assert tail.read().progress().step == 1
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"time": 5, "step": 2, "metr')
        file.flush()
        assert tail.read().progress().step == 1
        file.write('ics": {}}\n')
    assert tail.read().progress().step == 2
    assert tail.read() is tail.read()
    (tmp_path / "metrics.jsonl").rename(tmp_path / "aside.jsonl")
    assert tail.read().progress() is None
    Journal(tmp_path).append(3, {}, {metrics.TOTAL_STEPS: 9.0})
    assert tail.read().progress().total_steps == 9


def test_a_tail_skips_a_line_that_is_not_a_point(tmp_path, capsys):
    path = tmp_path / "metrics.jsonl"
    point = {"time": 1000, "metrics": {metrics.TOTAL_STEPS: 8.0}}
    path.write_text("\n".join([json.dumps({"step": 1, **point}), "garbage", "[]", json.dumps({"step": 3, **point}), ""]))
    tail = JournalTail(path)
    assert tail.read().progress().step == 3
    assert capsys.readouterr().err.count("it is skipped") == 2
    assert tail.read().progress().step == 3
