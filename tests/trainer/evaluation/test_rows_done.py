"""How many rows an attempt reports as done: also those that earlier ones have measured, in parts that are still to come."""

from contextlib import suppress
from pathlib import Path

from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_trainer.workspace.journal import Journal
from evaluated_jobs import exam_config, task


def test_kept_rows_count_from_the_beginning_and_once(tmp_path: Path) -> None:
    from alignment_trainer.evaluation.progress import Progress

    config = exam_config(tmp_path, [task("quiz", "MultipleChoice")])
    stage = Path(config.paths.stage)
    Journal(stage).append(90, {}, {metrics.TOTAL_STEPS: 100.0, metrics.SECONDS_LEFT: 7.0, metrics.STEP: 90.0})
    progress, found = Progress(config, 100, lambda: 60.0), []

    def done() -> int:
        progress._report(Journal(stage))
        *_, point = read_points(stage / "metrics.jsonl")
        return int(point.progress[metrics.STEP])

    with progress.reported():
        found.append(done())
        # 40 rows of an earlier attempt, then 20 of 40 of which this one measures 5 more, then 20 that are all new.
        progress.skip(40)
        found.append(done())
        counted = [20]
        with progress.part("measuring", 40, lambda: counted[0]):
            found.append(done())
            counted[0] = 25
            found.append(done())
            counted[0] = 40
        found.append(done())
        with progress.part("measuring", 20, lambda: 0):
            found.append(done())
    assert found == [60, 60, 60, 65, 80, 80]
    _, first, *_ = read_points(stage / "metrics.jsonl")
    assert first.newest[metrics.STEP] == 60 and metrics.SECONDS_LEFT not in first.newest, "at once, not after some seconds"


def test_a_part_that_fails_counts_with_the_rows_that_it_has(tmp_path: Path) -> None:
    from alignment_trainer.evaluation.progress import Progress

    config = exam_config(tmp_path, [task("quiz", "MultipleChoice")])
    progress, counted = Progress(config, 40, lambda: 0.0), [0]
    with suppress(ZeroDivisionError), progress.reported(), progress.part("measuring", 40, lambda: counted[0]):
        counted[0] = 25
        raise ZeroDivisionError
    *_, last = read_points(Path(config.paths.stage) / "metrics.jsonl")
    assert last.progress[metrics.STEP] == 25
