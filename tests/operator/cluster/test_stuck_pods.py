"""A child that does not start shows the reason from the cluster's own Events, with few requests."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from alignment_operator.cluster import stuck_pods as module
from alignment_operator.cluster.kubernetes_api import KubernetesApi
from alignment_operator.cluster.stuck_pods import StuckPods, obstacle_in
from alignment_operator.deciding.observation import Child, Key
from api_server import ApiServer, with_api
from kubernetes.aio.client import ApiClient

NOW = datetime(2026, 1, 1, 12, 10, tzinfo=UTC)
SECRET = 'MountVolume.SetUp failed for volume "hub-token" : secret "hub" not found'
QUOTA = 'Error creating: pods "job-sft-1-master-0" is forbidden: exceeded quota: gpus, used: pods=4, limited: pods=4'
SECURITY = (
    'Error creating: pods "job-sft-1-master-0" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation'
)
IMAGE = 'Pulling image "registry.example.com/alignment-trainer:1"'


def event(
    kind: str, reason: str, message: str = "", time: str | None = "12:09:00", of: str = "pod", **others: Any
) -> dict[str, Any]:
    last = {"lastTimestamp": f"2026-01-01T{time}Z"} if time else {}
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "involvedObject": {"name": of, "uid": f"uid-{of}"},
        **last,
        **others,
    }


SCHEDULED = event("Normal", "Scheduled", "assigned to node-1", "12:00:00")
SITUATIONS: dict[str, tuple[list[dict[str, Any]], tuple[str, str] | None]] = {
    "no Events": ([], None),
    "it is starting": ([SCHEDULED], None),
    "a Secret is missing": (
        [SCHEDULED, event("Warning", "FailedMount", SECRET)],
        ("FailedMount", f"pod: {SECRET}"),
    ),
    "the namespace's quota is used up": (
        [event("Warning", "FailedCreatePod", QUOTA, of="job-sft-1")],
        ("FailedCreatePod", f"job-sft-1: {QUOTA}"),
    ),
    "the namespace's Pod Security level refuses the pod": (
        [event("Warning", "FailedCreatePod", SECURITY, of="job-sft-1")],
        ("FailedCreatePod", f"job-sft-1: {SECURITY}"),
    ),
    "the obstacle is past": (
        [event("Warning", "FailedScheduling", "0/2 nodes", "11:59:00"), SCHEDULED],
        None,
    ),
    "a warning in the same second as progress counts as later": (
        [event("Warning", "FailedMount", SECRET), event("Normal", "Scheduled")],
        ("FailedMount", f"pod: {SECRET}"),
    ),
    "an unrelated Event does not make a warning obsolete": (
        [event("Warning", "FailedMount", SECRET), event("Normal", "NotTriggerScaleUp", "", "12:09:30")],
        ("FailedMount", f"pod: {SECRET}"),
    ),
    "the newest warning of an object": (
        [event("Warning", "FailedMount", SECRET), event("Warning", "FailedAttachVolume", "in use", "12:09:30")],
        ("FailedAttachVolume", "pod: in use"),
    ),
    "one pod starts, the other does not": (
        [event("Warning", "FailedMount", SECRET, of="master"), event("Normal", "Started", "", "12:09:30", of="worker")],
        ("FailedMount", f"master: {SECRET}"),
    ),
    "pods with the same warning in turn": (
        [event("Warning", "FailedMount", "no", of="master"), event("Warning", "FailedMount", "no", "12:09:30", of="worker")],
        ("FailedMount", "master: no"),
    ),
    "an image is being pulled": (
        [SCHEDULED, event("Normal", "Pulling", IMAGE, "12:09:30")],
        ("PullingImage", 'pod: pulling image "registry.example.com/alignment-trainer:1"'),
    ),
    "an image is being pulled for long": (
        [SCHEDULED, event("Normal", "Pulling", IMAGE, "12:07:30")],
        ("PullingImage", 'pod: pulling image "registry.example.com/alignment-trainer:1" for 2m'),
    ),
    "the image was pulled": ([event("Normal", "Pulling", IMAGE), event("Normal", "Pulled", "", "12:09:30")], None),
    "a warning comes before an image": (
        [event("Normal", "Pulling", IMAGE, of="master"), event("Warning", "FailedMount", SECRET, of="worker")],
        ("FailedMount", f"worker: {SECRET}"),
    ),
    "a series": (
        [SCHEDULED, event("Warning", "FailedMount", "s", None, series={"lastObservedTime": "2026-01-01T12:09:00.000000Z"})],
        ("FailedMount", "pod: s"),
    ),
    "an Event with only its first time": (
        [SCHEDULED, event("Warning", "FailedMount", "e", None, eventTime="2026-01-01T12:09:00.000000Z")],
        ("FailedMount", "pod: e"),
    ),
    "untrusted text becomes one short line": (
        [event("Warning", "not a reason\n", "a\nb\x1b" + "x" * 3000)],
        ("Warning", "pod: a b " + "x" * 990 + "…"),
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_obstacle(name: str) -> None:
    events, expected = SITUATIONS[name]
    assert obstacle_in(events, NOW) == expected
    assert obstacle_in(events[::-1], NOW) == expected


class Namespace:
    """Stuck children, and a clock that only this moves."""

    def __init__(self, server: ApiServer, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.stuck = server, StuckPods(KubernetesApi(client))
        monkeypatch.setattr(module, "monotonic", server.monotonic)

    def see(self, name: str, reason: str = "Starting", namespace: str = "team") -> tuple[str, str]:
        child = Child(f"{name}-sft-1", f"uid-{name}", "sft", 1, "", "", "Pending", reason=reason)
        [child] = self.stuck.explained(Key(namespace, name), [child], lambda _: [f"uid-{name}-pod"])
        return child.reason, child.message

    async def ask(self) -> set[Key]:
        self.server.requests.clear()
        return await self.stuck.ask(lambda _: True, NOW)

    def happens(self, found: dict[str, Any], namespace: str = "team") -> None:
        self.server.store(f"/api/v1/namespaces/{namespace}/events/{len(self.server.objects)}", {"metadata": {}, **found})


def with_namespace(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    with_api(lambda server, client: act(Namespace(server, client, monkeypatch)))


def test_events_are_listed_only_for_children_that_are_stuck_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        world.see("job")
        world.happens(event("Warning", "FailedMount", SECRET, of="job-pod"))
        assert await world.ask() == set() and world.server.requests == []
        world.server.seconds += 11
        assert await world.ask() == {Key("team", "job")}
        assert world.see("job") == ("FailedMount", f"job-pod: {SECRET}")
        assert await world.ask() == set(), "an unchanged obstacle is no change"
        assert world.see("job", "Unschedulable") == ("Unschedulable", ""), "the pod's own status counts more"
        assert world.see("job") == ("Starting", ""), "a new start has no obstacle yet"

    with_namespace(monkeypatch, act)


def test_an_obstacle_that_is_over_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        world.see("job")
        world.happens(event("Warning", "FailedMount", SECRET, of="job-pod"))
        world.server.seconds += 11
        await world.ask()
        world.happens(event("Normal", "Pulled", "", "12:09:30", of="job-pod"))
        assert await world.ask() == {Key("team", "job")}
        assert world.see("job") == ("Starting", "")

    with_namespace(monkeypatch, act)


def test_a_thousand_waiting_jobs_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        for number in range(1000):
            world.see(f"job-{number}")
        world.happens(event("Warning", "FailedCreatePod", QUOTA, of="job-7"))
        world.server.seconds += 11
        assert await world.ask() == {Key("team", "job-7")}
        assert world.server.requests == ["GET /api/v1/namespaces/team/events"]

    with_namespace(monkeypatch, act)


def test_events_of_children_that_are_stuck_for_long_are_listed_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        world.see("job")
        rounds = []
        for _ in range(20):
            world.server.seconds += 10
            await world.ask()
            rounds.append(len(world.server.requests))
        assert rounds == [0, *[1] * 10, *[0, 1] * 4, 0]

    with_namespace(monkeypatch, act)


def test_namespaces_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        asked: list[str] = []
        for number in range(50):
            world.see("job", namespace=f"team-{number}")
        for _ in range(3):
            world.server.seconds += 11
            await world.ask()
            assert len(world.server.requests) == 20
            asked += world.server.requests
        assert len(set(asked)) == 50

    with_namespace(monkeypatch, act)


def test_all_pages_are_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EVENTS_A_PAGE", 2)

    async def act(world: Namespace) -> None:
        world.see("job")
        for number in range(5):
            world.happens(event("Warning", "FailedMount", "another's", of=f"other-{number}"))
        world.happens(event("Warning", "FailedMount", SECRET, of="job-pod"))
        world.server.seconds += 11
        assert await world.ask() == {Key("team", "job")}
        assert len(world.server.requests) == 3
        for number in range(50):
            world.happens(event("Normal", "Started", "another's", of=f"more-{number}"))
        await world.ask()
        assert len(world.server.requests) == 10

    with_namespace(monkeypatch, act)


def test_a_namespace_whose_events_cannot_be_read_is_logged_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(world: Namespace) -> None:
        world.see("job", namespace="closed")
        world.see("job")
        world.server.refusals["GET /api/v1/namespaces/closed/events"] = (403, "events are forbidden")
        world.happens(event("Warning", "FailedMount", SECRET, of="job-pod"))
        world.server.seconds += 11
        assert await world.ask() == {Key("team", "job")}
        await world.ask()

    with caplog.at_level(logging.WARNING):
        with_namespace(monkeypatch, act)
    assert [record.getMessage() for record in caplog.records] == [
        "cannot read why pods of namespace closed do not start: 403 Forbidden: events are forbidden"
    ]


def test_deleted_jobs_and_those_of_another_operator_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(world: Namespace) -> None:
        world.see("job")
        world.server.seconds += 11
        world.server.requests.clear()
        assert await world.stuck.ask(lambda _: False, NOW) == set()
        await world.ask()
        assert world.server.requests == []

    with_namespace(monkeypatch, act)
