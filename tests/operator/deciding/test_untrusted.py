"""Numbers, words and times of pods become ones that the API server takes."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from alignment_api.metrics import LOSS, REWARD_MARGIN
from alignment_operator.deciding.untrusted import Sightings, bounded_progress, bounded_time, printable

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


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
    metrics = {LOSS: 0.5, REWARD_MARGIN: math.nan, "another": 1.0}
    found = bounded_progress(1, 2, None, metrics, NOW + timedelta(microseconds=7))
    assert found is not None
    assert (found.metrics, found.updated_time) == ({LOSS: 0.5}, NOW)


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        (NOW - timedelta(hours=1), NOW - timedelta(hours=1)),
        (NOW + timedelta(seconds=1), NOW),
        (datetime(9999, 1, 1, tzinfo=UTC), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, 11), NOW - timedelta(hours=1)),
    ],
)
def test_times(told: datetime, taken: datetime) -> None:
    assert bounded_time(told, NOW) == taken


def test_what_is_told_again_is_no_younger() -> None:
    sightings = Sightings()
    assert sightings.time_of("sft", 1, NOW) == NOW
    assert sightings.time_of("sft", 1, NOW + timedelta(seconds=15)) == NOW
    assert sightings.time_of("sft", 2, NOW + timedelta(seconds=30)) == NOW + timedelta(seconds=30)
    sightings.keep_only(set())
    assert sightings.time_of("sft", 2, NOW) == NOW


@pytest.mark.parametrize(
    ("text", "shown"), [("loading weights", "loading weights"), ("a\n\x1b[31mred\u202e b\x00", "a [31mred b"), ("  ", "")]
)
def test_words(text: str, shown: str) -> None:
    assert printable(text) == shown
