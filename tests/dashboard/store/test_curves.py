"""What is read of a run's curves when some of it is known."""

from collections.abc import Mapping

import pytest
from alignment_dashboard.store.curves import NO_CURVES, WHOLE_SECONDS, Curves, read_curves
from alignment_dashboard.store.history import Histories, History, history_of
from alignment_dashboard.store.store import Store
from alignment_dashboard.store.stored_run import Mark, StoredRun

Point = tuple[int, float, int]
KNOWN: list[Point] = [(1, 1.0, 10), (2, 2.0, 20), (3, 3.0, 30)]
AGAIN: list[Point] = [(2, 8.0, 40), (3, 9.0, 50), (4, 4.0, 60)]
RUN = StoredRun("run-1", "0", "uid-a", "dpo", "dpo", "RUNNING", None, None, "", {}, {"loss": 3.0}, {"loss": Mark(3, 30)})


class Logged:
    """The points of one metric, and from which step they were asked for."""

    def __init__(self, points: list[Point]) -> None:
        self.points = points
        self.asked: list[int | None] = []

    def histories(self, _run_id: str, since: Mapping[str, int | None]) -> Histories:
        self.asked += since.values()
        return {metric: self._since(step) for metric, step in since.items()}

    def _since(self, step: int | None) -> History:
        return history_of([point for point in self.points if step is None or point[0] >= step])


def read(points: list[Point], run: StoredRun | None, known: Curves, now: float) -> tuple[Curves, list[int | None]]:
    """Read the loss from these points, and say from which steps on it was asked for."""
    logged = Logged(points)
    store: Store = logged  # type: ignore[assignment]  # the other methods are not called
    return read_curves(store, run, ["loss", "never"], known, now), logged.asked


def moved(step: int, time: int, status: str = "RUNNING", run_id: str = "run-1") -> StoredRun:
    """Return the run after its latest value has moved."""
    return RUN._replace(run_id=run_id, status=status, marks={"loss": Mark(step, time)})


@pytest.mark.parametrize(
    ("situation", "logged", "run", "seconds", "asked", "values"),
    [
        ("nothing new", KNOWN, RUN, 1, [], [1, 2, 3]),
        ("a new step", [*KNOWN, (4, 4.0, 40)], moved(4, 40), 1, [3], [1, 2, 3, 4]),
        ("the same value at a new step", [*KNOWN, (4, 3.0, 40)], moved(4, 40), 1, [3], [1, 2, 3, 3]),
        ("the last step again", [*KNOWN, (3, 9.0, 40)], moved(3, 40), 1, [3, None], [1, 2, 9]),
        ("earlier steps again, and then a new one", [*KNOWN, *AGAIN], moved(4, 60), 1, [3, None], [1, 8, 9, 4]),
        ("an earlier step again, not seen yet", [*KNOWN, (2, 8.0, 40)], RUN, 1, [], [1, 2, 3]),
        ("an earlier step again, after a while", [*KNOWN, (2, 8.0, 40)], RUN, WHOLE_SECONDS, [None], [1, 8, 3]),
        ("the run has ended", [*KNOWN, (2, 8.0, 40)], moved(3, 30, "FINISHED"), 1, [None], [1, 8, 3]),
        ("the stage began anew", [(1, 7.0, 90)], moved(1, 90, run_id="run-2"), 1, [None], [7]),
        ("the points were deleted", [], moved(4, 40), 1, [3, None], []),
    ],
)
def test_what_is_read(
    situation: str, logged: list[Point], run: StoredRun, seconds: float, asked: list[int | None], values: list[float]
) -> None:
    known, _ = read(KNOWN, RUN, NO_CURVES, 100.0)
    found, asked_now = read(logged, run, known, 100.0 + seconds)
    assert (asked_now, found.histories["loss"].values.tolist()) == (asked, values), situation


def test_an_ended_run_is_never_read_again() -> None:
    ended = moved(3, 30, "FINISHED")
    known, _ = read(KNOWN, ended, NO_CURVES, 100.0)
    assert read(KNOWN, ended, known, 10.0**9)[1] == []


def test_no_run_has_no_curves() -> None:
    known, _ = read(KNOWN, RUN, NO_CURVES, 0)
    assert read(KNOWN, None, known, 1)[0] == NO_CURVES
