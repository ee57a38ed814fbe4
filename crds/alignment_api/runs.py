"""Which MLflow runs belong to a stage: of several the one that started last, whatever its status; and those of its own record."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, Field, ValidationError

Run = TypeVar("Run")

_Id = Annotated[str, Field(max_length=64)]
_CLOCK_SKEW_MILLISECONDS = 300_000


class Beginning(NamedTuple):
    """When a run started, in milliseconds since 1970, and its id."""

    start_time: int | None
    run_id: str


def newest_run(runs: Iterable[Run], beginning: Callable[[Run], Beginning], now_milliseconds: int) -> Run | None:
    """Return the run that started last, of equals the one with the greater id; a start in the future counts as the oldest."""
    return next(iter(newest_first(runs, beginning, now_milliseconds)), None)


def newest_first(runs: Iterable[Run], beginning: Callable[[Run], Beginning], now_milliseconds: int) -> list[Run]:
    """Return runs in the order of their starts, the newest first."""
    latest = now_milliseconds + _CLOCK_SKEW_MILLISECONDS

    def order(run: Run) -> tuple[int, str]:
        start, run_id = beginning(run)
        return (start if start is not None and start <= latest else 0), run_id

    return sorted(runs, key=order, reverse=True)


class RunIds(BaseModel):
    """The runs that a stage's data goes to, as its folder records them."""

    run_id: _Id
    experiment_id: _Id | None = None
    job_run_id: _Id | None = None
    """The run of the whole job."""


def read_run_ids(path: Path) -> RunIds | None:
    """Read the record of a stage's runs; None if there is none or it cannot be parsed."""
    try:
        return RunIds.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
