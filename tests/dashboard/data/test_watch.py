"""A watch of a cluster's jobs, through all that an API server may do to it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alignment_dashboard.data.watch import JobWatch, Known, Pace

Server = Any
FORBIDDEN = 'alignmentjobs is forbidden: User "system:serviceaccount:a:b" cannot list resource'
RUNNING = {"phase": "Running"}


@pytest.fixture
def watch(api_server: Server) -> Iterator[JobWatch]:
    """Make a watch of all namespaces with short delays; the test starts it."""
    made = JobWatch(None, Pace(watch_seconds=5, first_delay_seconds=0.01, longest_delay_seconds=0.05))
    yield made
    made.stop()


def until(watch: JobWatch, holds: Callable[[Known], object]) -> Known:
    """Wait until a condition on the snapshot holds."""
    for _ in range(600):
        known = watch.known()
        if holds(known):
            return known
        time.sleep(0.05)
    raise AssertionError(f"the condition never held; the snapshot is {known}")


def names(known: Known) -> list[str]:
    return [job.metadata.name for job in known.jobs]


def start(watch: JobWatch, server: Server) -> None:
    """Start, and wait until the watch is open."""
    watch.start()
    until(watch, lambda known: known.last_answer and server.asked("watch"))


def test_jobs_and_their_changes(api_server: Server, watch: JobWatch) -> None:
    api_server.put("old")
    start(watch, api_server)
    assert names(watch.known()) == ["old"]
    api_server.put("new")
    until(watch, lambda known: names(known) == ["new", "old"])
    api_server.put("new", status=RUNNING)
    until(watch, lambda known: known.jobs[0].status and known.jobs[0].status.phase == "Running")
    api_server.delete("old")
    until(watch, lambda known: names(known) == ["new"])
    assert len(api_server.asked("list")) == 1


def test_one_namespace_alone(api_server: Server) -> None:
    api_server.put("ours")
    api_server.put("theirs", "other")
    watch = JobWatch("team", Pace(5, 0.01, 0.05))
    start(watch, api_server)
    api_server.put("theirs-too", "other")
    api_server.put("ours-too")
    assert names(until(watch, lambda known: len(known.jobs) > 1)) == ["ours", "ours-too"]
    watch.stop()


@pytest.mark.parametrize("last", ["an event", "a bookmark"])
def test_a_watch_that_breaks_off_resumes_at_its_version(api_server: Server, watch: JobWatch, last: str) -> None:
    start(watch, api_server)
    api_server.put("one")
    until(watch, lambda known: names(known) == ["one"])
    if last == "a bookmark":
        last_answer = watch.known().last_answer
        api_server.bookmark()
        until(watch, lambda known: known.last_answer != last_answer)
    api_server.cut()
    api_server.put("two")
    until(watch, lambda known: names(known) == ["one", "two"])
    assert api_server.asked("watch")[:2] == ["100", "101" if last == "an event" else "102"]
    assert len(api_server.asked("list")) == 1
    assert watch.known().failure is None


def test_a_watch_that_ends_in_time_resumes_at_its_version(api_server: Server) -> None:
    watch = JobWatch(None, Pace(1, 0.01, 0.05))
    start(watch, api_server)
    api_server.put("one")
    until(watch, lambda _: len(api_server.asked("watch")) > 1)
    api_server.put("two")
    until(watch, lambda known: names(known) == ["one", "two"])
    assert api_server.asked("watch")[:2] == ["100", "101"]
    assert len(api_server.asked("list")) == 1
    watch.stop()


@pytest.mark.parametrize("within", [False, True])
def test_after_a_forgotten_version_all_jobs_are_listed_again(api_server: Server, watch: JobWatch, within: bool) -> None:
    api_server.gone_within_the_watch = within
    for name in ("one", "two"):
        api_server.put(name)
    start(watch, api_server)
    api_server.stop()
    api_server.delete("one")
    api_server.put("three")
    api_server.forget()
    api_server.start()
    assert until(watch, lambda known: names(known) == ["three", "two"] and known.failure is None)


def test_an_api_server_out_of_reach_keeps_what_was_known(api_server: Server, watch: JobWatch) -> None:
    api_server.put("one")
    start(watch, api_server)
    api_server.stop()
    known = until(watch, lambda known: known.failure)
    assert known.failure is not None
    address = f"http://127.0.0.1:{api_server.port}"
    assert known.failure.message == f"The API server at {address} does not answer (Connection refused); this page keeps trying."
    assert (names(known), known.last_answer is None) == (["one"], False)
    api_server.put("two")
    api_server.start()
    until(watch, lambda known: known.failure is None and names(known) == ["one", "two"])


@pytest.mark.parametrize(
    ("verb", "status", "body", "label", "sentence", "kept"),
    [
        ("list", 401, {"message": "Unauthorized"}, "Not allowed", "does not accept the dashboard's credentials", True),
        (
            "list",
            403,
            {"message": FORBIDDEN},
            "Not allowed",
            "system:serviceaccount:a:b lacks the verb list on alignmentjobs.alignment-operator.dev in all namespaces",
            False,
        ),
        ("watch", 403, b"<html>", "Not allowed", "The dashboard lacks the verb watch on", True),
        ("list", 404, b"404 page not found", "Not installed", "has no AlignmentJob definition", False),
        ("watch", 404, b"404 page not found", "Not installed", "has no AlignmentJob definition", True),
        ("list", 503, {"message": "etcd is away"}, "Unreachable", "cannot answer now (503: etcd is away)", True),
        ("list", 200, b"<html>", "Unreachable", "sends an answer that does not come from a Kubernetes API", True),
        ("list", 200, b"[]", "Unreachable", "sends an answer that does not come from a Kubernetes API", True),
        ("list", 200, {"items": []}, "Defect", "KeyError('metadata')", True),
        ("watch", 200, b'{"type": "ADDED"}\n', "Defect", "KeyError('object')", True),
    ],
)
def test_refusals(
    api_server: Server, watch: JobWatch, verb: str, status: int, body: Any, label: str, sentence: str, kept: bool
) -> None:
    api_server.put("one")
    start(watch, api_server)
    # It lists again only if the watch cannot be resumed.
    api_server.refuse("watch", 410, b"")
    api_server.refuse(verb, status, body)
    if verb == "watch":
        api_server.refusals.pop("list", None)
    known = until(watch, lambda known: known.failure and sentence in known.failure.message)
    assert known.failure is not None
    assert (known.failure.label, names(known)) == (label, ["one"] if kept else [])
    assert "\n" not in known.failure.message
    assert (known.failure.command or "").startswith("helm install" if label == "Not installed" else "")
    api_server.refusals.clear()
    api_server.cut()
    until(watch, lambda known: known.failure is None and names(known) == ["one"])


def test_objects_of_another_version(api_server: Server, watch: JobWatch) -> None:
    api_server.put("newer", spec_of_tomorrow={"a": 1}, status=RUNNING | {"mood": "good"})
    api_server.put("odd", model={"uri": 17})
    start(watch, api_server)
    known = watch.known()
    assert names(known) == ["newer"]
    assert [sentence.split(" (")[0] for sentence in known.unreadable] == [
        "team/odd is not an AlignmentJob that this version can read"
    ]
    api_server.put("odd")
    until(watch, lambda known: names(known) == ["newer", "odd"] and not known.unreadable)


@pytest.mark.parametrize("content", [None, "", "{", "kind: Config"])
def test_without_credentials(
    api_server: Server, watch: JobWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "other"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    watch.start()
    known = until(watch, lambda known: known.failure)
    assert known.failure is not None
    assert known.failure.label == "No credentials"
    assert "\n" not in known.failure.message


def test_renewed_credentials_are_used(api_server: Server, watch: JobWatch, tmp_path: Path) -> None:
    path, config = tmp_path / "kubeconfig", (tmp_path / "kubeconfig").read_text()
    path.write_text(config.replace(str(api_server.port), "9"))
    watch.start()
    until(watch, lambda known: known.failure)
    path.write_text(config)
    until(watch, lambda known: known.failure is None and known.last_answer)
