"""Durations as people read them."""

import pytest
from alignment_api.durations import readable_duration


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-3, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (61, "1m1s"), (4_320, "1h12m"), (3_601, "1h"), (200_000, "2d7h")],
)
def test_durations(seconds: float, written: str) -> None:
    assert readable_duration(seconds) == written
