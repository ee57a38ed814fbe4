import math
from datetime import UTC, datetime

from alignment_api import metrics
from alignment_api.progress import Course
from alignment_api.spec.status import Progress


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


def test_a_loss_that_is_no_number_is_not_shown_as_the_one_before():
    progress = course((1000, 1, {metrics.TOTAL_STEPS: 2.0, metrics.LOSS: 2.0}), (2000, 2, {metrics.LOSS: math.nan}))
    assert (progress.percent, progress.metrics) == (100, {})
