"""A value is read once at a time, shown at once, and stays when its source fails."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from alignment_dashboard import keeper
from alignment_dashboard.cache import ENDED_SECONDS
from alignment_dashboard.keeper import Keeper, Unavailable

FOREVER = 1000.0
TICK_SECONDS = 15.0
"""How often the pages of ended runs ask."""


class Source:
    """A source that answers, fails or waits as a test asks."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, int]] = []
        self.failure: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def read(self, key: str, earlier: int) -> int:
        self.reads.append((key, earlier))
        self.gate.wait(60)
        if self.failure:
            raise self.failure
        return earlier + 1


@pytest.fixture
def source() -> Source:
    return Source()


def test_the_first_visitor_waits_and_the_next_gets_what_is_known(source: Source) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: FOREVER)
    assert [keeper.get("a")[:2] for _ in range(3)] == [(1, None)] * 3
    assert source.reads == [("a", 0)]


def test_a_reading_gets_what_is_known_so_that_it_can_add_to_it(source: Source) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: 0.0)
    assert [keeper.get("a", seconds=60).value for _ in range(3)] == [1, 2, 3]
    assert source.reads == [("a", 0), ("a", 1), ("a", 2)]


def test_nobody_waits_for_a_newer_value_and_nothing_is_asked_twice_at_once(source: Source) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: 0.0)
    keeper.get("a")
    source.gate.clear()
    assert [keeper.get("a").value for _ in range(5)] == [1] * 5
    assert len(source.reads) <= 2
    source.gate.set()
    assert keeper.get("a", seconds=60).value == 2


def test_many_visitors_at_once_are_one_request(source: Source) -> None:
    keeper, found = Keeper[str, int](source.read, 0, lambda _: FOREVER), list[int]()
    source.gate.clear()
    visitors = [threading.Thread(target=lambda: found.append(keeper.get("a").value)) for _ in range(20)]
    for visitor in visitors:
        visitor.start()
    source.gate.set()
    for visitor in visitors:
        visitor.join()
    assert found == [1] * 20 and source.reads == [("a", 0)]


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (Unavailable("MLflow is away."), "MLflow is away."),
        (KeyError("odd"), "Reading failed with an unexpected error (KeyError('odd')); the dashboard's log has the traceback."),
    ],
)
def test_the_last_good_value_stays_with_its_time_while_the_source_fails(source: Source, failure: Exception, problem: str) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: 0.0)
    good = keeper.get("a")
    source.failure = failure
    assert keeper.get("a", seconds=60) == (1, problem, good.as_of)
    source.failure = None
    later = keeper.get("a", seconds=60)
    assert (later.value, later.problem) == (2, None) and later.as_of > good.as_of


def test_a_source_that_fails_from_the_start_is_said_without_waiting_again(source: Source) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: FOREVER)
    source.failure = Unavailable("MLflow is away.")
    assert [keeper.get("a")[:2] for _ in range(2)] == [(0, "MLflow is away.")] * 2
    assert len(source.reads) == 1


def test_a_first_answer_that_takes_long_is_said(source: Source) -> None:
    keeper = Keeper[str, int](source.read, 0, lambda _: FOREVER, first_seconds=0.01)
    source.gate.clear()
    assert keeper.get("a").problem == "The answer takes long; this page shows it when it comes."
    source.gate.set()
    assert keeper.get("a", seconds=60)[:2] == (1, None)


def test_a_value_that_nobody_asked_for_is_read_anew_before_it_is_shown(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LATE_SECONDS", -1)
    monkeypatch.setattr(keeper, "LATE_WAIT_SECONDS", 60)
    kept = Keeper[str, int](source.read, 0, lambda _: 0.0)
    assert [kept.get("a").value for _ in range(3)] == [1, 2, 3]


def test_a_page_of_an_ended_run_shows_at_its_next_tick_that_a_source_is_away(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(keeper, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(keeper, "LATE_WAIT_SECONDS", 60)
    kept = Keeper[str, int](source.read, 0, lambda _: ENDED_SECONDS)
    assert kept.get("a").problem is None
    source.failure = Unavailable("MLflow is away.")
    clock.now += TICK_SECONDS
    assert kept.get("a")[:2] == (1, "MLflow is away.")


def test_what_was_asked_for_last_is_kept_when_all_weighs_too_much(source: Source) -> None:
    def weight(_value: int) -> int:
        return 10

    keeper = Keeper[str, int](source.read, 0, lambda _: FOREVER, weight=weight, most=20)
    for key in ("a", "b", "a", "c", "a", "b"):
        keeper.get(key)
    assert [key for key, _ in source.reads] == ["a", "b", "c", "b"]


def test_another_key_is_read_while_one_is_slow(source: Source) -> None:
    read: Callable[[str, int], int] = lambda key, earlier: source.read(key, earlier) if key == "slow" else 7  # noqa: E731
    keeper = Keeper[str, int](read, 0, first_seconds=0.01)
    source.gate.clear()
    assert keeper.get("slow").value == 0
    assert keeper.get("fast", seconds=60).value == 7
    source.gate.set()
