"""The events of a job, as Kubernetes keeps them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_dashboard.data.cluster_api import ApiFailure
from alignment_dashboard.data.job_events import Event, read_events
from watched_api import ApiServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def an_event(uid: str = "uid-a", **others: Any) -> dict[str, Any]:
    """Return an event as the operator's client writes it."""
    return {
        "metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"},
        "involvedObject": {"uid": uid},
        "type": "Normal",
        "reason": "StageStarted",
        "message": "<b>dpo</b> starts",
        "count": 3,
        "lastTimestamp": "2026-01-01T12:00:00Z",
    } | others


@pytest.mark.parametrize(
    ("situation", "changes", "time", "times"),
    [
        ("counted by its writer", {}, NOON, 3),
        ("counted as a series", {"series": {"count": 5, "lastObservedTime": "2026-01-01T12:00:00.000000Z"}}, NOON, 5),
        ("happened once", {"count": None, "lastTimestamp": None, "eventTime": "2026-01-01T12:00:00.000000Z"}, NOON, 1),
        ("without a time", {"lastTimestamp": None}, NOON.replace(hour=11), 3),
        ("with a time that is none", {"lastTimestamp": "soon", "count": "many"}, None, 1),
    ],
)
def test_an_event(api_server: ApiServer, situation: str, changes: dict[str, Any], time: datetime | None, times: int) -> None:
    api_server.reported = [an_event(**changes)]
    expected = [Event(time, "Normal", "StageStarted", "<b>dpo</b> starts", times)]
    assert read_events("team", "uid-a") == expected, situation
    assert api_server.asked("events") == ["involvedObject.uid=uid-a"]


def test_the_newest_event_comes_first_and_those_of_others_are_left_out(api_server: ApiServer) -> None:
    times = {"early": "2026-01-01T09:00:00Z", "late": "2026-01-01T15:00:00Z", "unknown": "soon"}
    api_server.reported = [an_event(reason=reason, lastTimestamp=time) for reason, time in times.items()]
    api_server.reported.append(an_event("uid-b"))
    assert [event.reason for event in read_events("team", "uid-a")] == ["late", "early", "unknown"]


def test_a_role_without_events_is_one_sentence(api_server: ApiServer) -> None:
    api_server.refuse("events", 403, {"message": 'User "system:serviceaccount:a:b" cannot list'})
    with pytest.raises(ApiFailure, match=r"system:serviceaccount:a:b lacks the verb list on events in namespace team\."):
        read_events("team", "uid-a")


def test_an_api_server_that_is_away_is_one_sentence(api_server: ApiServer) -> None:
    api_server.stop()
    with pytest.raises(ApiFailure, match="this page keeps trying"):
        read_events("team", "uid-a")


def test_the_local_folder_has_no_events(home: Home) -> None:
    assert read_events("default", "uid-a") == []
