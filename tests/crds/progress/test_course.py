import math
from datetime import UTC, datetime, timedelta

import pytest
from alignment_api import metrics
from alignment_api.metrics import LOSS, REWARD_MARGIN
from alignment_api.progress.course import Course, bounded_progress
from alignment_api.spec.status import Progress

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def course(*points):
    made = Course()
    for point in points:
        made.add(*point)
    return made.progress()


def test_nothing_is_known_before_the_number_of_steps_is():
    assert course() is None
    assert course((1000, 3, {metrics.LOSS: 2.0})) is None
    assert course((1000, 3, {metrics.TOTAL_STEPS: math.nan})) is None


def test_the_newest_values_count_and_the_highest_step():
    assert course(
        (5000, 7, {metrics.TOTAL_STEPS: 10.0, metrics.SECONDS_LEFT: 30.4, metrics.LOSS: 2.0, metrics.LEARNING_RATE: 1.0}),
        (7000, 8, {metrics.LOSS: 1.0, metrics.SECONDS_LEFT: -0.1}),
        (6000, 2, {metrics.REWARD_MARGIN: math.inf}),
    ) == Progress(
        step=8,
        total_steps=10,
        percent=80,
        seconds_left=0,
        updated_time=datetime.fromtimestamp(7, UTC),
        metrics={metrics.LOSS: 1.0},
    )


def test_where_a_new_attempt_begins_replaces_the_step_and_the_time_left_of_an_earlier_one():
    earlier = (5000, 70, {metrics.TOTAL_STEPS: 100.0, metrics.SECONDS_LEFT: 30.0})
    begun = course(earlier, (9000, 70, {metrics.TOTAL_STEPS: 100.0, metrics.STEP: 40.0}))
    assert (begun.step, begun.percent, begun.seconds_left) == (40, 40, None)
    later = course(earlier, (9000, 70, {metrics.STEP: 40.0}), (9500, 41, {metrics.STEP: 41.0, metrics.SECONDS_LEFT: 50.0}))
    assert (later.step, later.seconds_left) == (41, 50)


def test_a_loss_that_is_no_number_is_not_shown_as_the_one_before():
    progress = course((1000, 1, {metrics.TOTAL_STEPS: 2.0, metrics.LOSS: 2.0}), (2000, 2, {metrics.LOSS: math.nan}))
    assert (progress.percent, progress.metrics) == (100, {})


def test_of_the_reasons_of_unanswered_questions_only_the_most_frequent_are_shown():
    reasons = {metrics.unanswered_of(name): float(count) for count, name in enumerate("ABCDEF")}
    odd = {metrics.unanswered_of("../x"): 9.0, metrics.unanswered_of("x" * 41): 9.0, metrics.left_out_of("Tie"): 9.0}
    values = {metrics.TOTAL_STEPS: 2.0, metrics.UNANSWERED: 15.0, metrics.LENGTH_CORRELATION: 0.5, **reasons, **odd}
    assert course((1000, 1, values)).metrics == {
        metrics.UNANSWERED: 15.0,
        **{metrics.unanswered_of(name): float(count) for name, count in (("F", 5), ("E", 4), ("D", 3), ("C", 2))},
    }


@pytest.mark.parametrize(
    ("step", "total", "left", "expected"),
    [
        (3, 10, 70.4, (3, 10, 30, 70)),
        (10**30, 10, 5, (10, 10, 100, 5)),
        (-4, 10, -5, (0, 10, 0, 0)),
        (3, 10, 1e300, (3, 10, 30, 316_224_000)),
        (3, 10, math.inf, (3, 10, 30, None)),
        (3, 10, math.nan, (3, 10, 30, None)),
        (3, 10**30, 5, None),
        (3, math.nan, 5, None),
        (3, math.inf, 5, None),
        (3, 0, 5, None),
        (3, -7, 5, None),
    ],
)
def test_steps_and_seconds(step: int, total: float, left: float | None, expected: tuple[int, ...] | None) -> None:
    found = bounded_progress(step, total, left, {}, NOW)
    assert (found and (found.step, found.total_steps, found.percent, found.seconds_left)) == expected


def test_only_the_metrics_of_a_status_and_only_numbers() -> None:
    values = {LOSS: 0.5, REWARD_MARGIN: math.nan, "another": 1.0}
    found = bounded_progress(1, 2, None, values, NOW + timedelta(microseconds=7))
    assert found is not None
    assert (found.metrics, found.updated_time) == ({LOSS: 0.5}, NOW)
