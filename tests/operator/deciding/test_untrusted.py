"""Text and times from pods become values that the API server accepts."""

from datetime import UTC, datetime, timedelta

import pytest
from alignment_api.spec.status import StageStatus
from alignment_operator.deciding.untrusted import Sightings, bounded_time, bounded_warnings, printable

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reported", "kept"),
    [
        (NOW - timedelta(hours=1), NOW - timedelta(hours=1)),
        (NOW + timedelta(seconds=1), NOW),
        (datetime(9999, 1, 1, tzinfo=UTC), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, 11), NOW - timedelta(hours=1)),
    ],
)
def test_times_are_bounded(reported: datetime, kept: datetime) -> None:
    assert bounded_time(reported, NOW) == kept


def test_a_repeated_value_is_no_newer() -> None:
    sightings = Sightings()
    assert sightings.time_of("sft", 1, NOW) == NOW
    assert sightings.time_of("sft", 1, NOW + timedelta(seconds=15)) == NOW
    assert sightings.time_of("sft", 2, NOW + timedelta(seconds=30)) == NOW + timedelta(seconds=30)
    sightings.keep_only(set())
    assert sightings.time_of("sft", 2, NOW) == NOW


@pytest.mark.parametrize(
    ("reported", "kept"),
    [([], ()), (["a\n\x1b[31mb"], ("a [31mb",)), (["x" * 513], ("x" * 511 + "…",)), (["a"] * 65, ("a",) * 64)],
)
def test_warnings_fit_into_a_status(reported: list[str], kept: tuple[str, ...]) -> None:
    assert bounded_warnings(reported) == kept
    StageStatus.parse({"name": "sft", "state": "Running", "warnings": list(kept)})


@pytest.mark.parametrize(
    ("text", "shown"), [("loading weights", "loading weights"), ("a\n\x1b[31mred\u202e b\x00", "a [31mred b"), ("  ", "")]
)
def test_text_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
