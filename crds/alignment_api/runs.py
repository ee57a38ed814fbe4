"""Which of several MLflow runs of one stage is the stage's own: the one that began last, whatever its status says."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Run = TypeVar("Run")

_CLOCK_SKEW_MILLISECONDS = 300_000


class Beginning(NamedTuple):
    """When a run began, in milliseconds, and its id."""

    start_time: int | None
    run_id: str


def newest_run(runs: Iterable[Run], beginning: Callable[[Run], Beginning], now_milliseconds: int) -> Run | None:
    """Choose the run that began last, of equal ones that of the greater id; one that says it begins in the future comes last."""
    latest = now_milliseconds + _CLOCK_SKEW_MILLISECONDS

    def order(run: Run) -> tuple[int, str]:
        start, run_id = beginning(run)
        return (start if start is not None and start <= latest else 0), run_id

    return max(runs, key=order, default=None)
