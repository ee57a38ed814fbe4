"""How long a server asks its clients to wait."""

from datetime import UTC, datetime

import httpx2
import pytest
from alignment_trainer.endpoints.pacing.retry_after import wait_seconds

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "90"}, 90),
        ({"Retry-After": "86400"}, 86400),
        ({"retry-after-ms": "700"}, 0.7),
        ({"retry-after-ms": "700", "Retry-After": "90"}, 0.7),
        ({"retry-after-ms": "soon", "Retry-After": "3"}, 3),
        ({"Retry-After": "Sun, 29 Nov 2026 12:01:30 GMT"}, 90),
        ({"Retry-After": "Sun, 29 Nov 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "Sun, 29 Nov 2026 12:01:30"}, 90),
        ({"Retry-After": str(int(NOW.timestamp()) + 90)}, 90),
        ({"Retry-After": str(int(NOW.timestamp()) - 90)}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": ""}, None),
    ],
)
def test_seconds_dates_and_milliseconds_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_seconds(httpx2.Headers(headers), NOW) == seconds
