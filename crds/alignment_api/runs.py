"""Chooses among several MLflow runs of one stage: the one that started last, whatever its status."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Run = TypeVar("Run")

_CLOCK_SKEW_MILLISECONDS = 300_000


class Beginning(NamedTuple):
    """When a run started, in milliseconds since 1970, and its id."""

    start_time: int | None
    run_id: str


def newest_run(runs: Iterable[Run], beginning: Callable[[Run], Beginning], now_milliseconds: int) -> Run | None:
    """Return the run that started last, of equals the one with the greater id; a start in the future counts as the oldest."""
    latest = now_milliseconds + _CLOCK_SKEW_MILLISECONDS

    def order(run: Run) -> tuple[int, str]:
        start, run_id = beginning(run)
        return (start if start is not None and start <= latest else 0), run_id

    return max(runs, key=order, default=None)
