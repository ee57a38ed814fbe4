"""The last and the best value of each headline metric of runs, the best of them, and the differences to the baseline."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from alignment_api.metrics import (
    ANSWER_TOKENS,
    BEST_OF,
    COST,
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_REWARD_MARGIN,
    LOSS,
    PROMPT_TOKENS,
    REQUESTS,
    REWARD_ACCURACY,
    REWARD_MARGIN,
    ROWS_LEFT_OUT,
    ROWS_WRITTEN,
    UNANSWERED,
    best_of_stage,
    of_stage,
)
from alignment_api.resolving.parameters import Value
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import StageStatus

from alignment_dashboard.data.listing import identify
from alignment_dashboard.facts.comparison.spread import Spread, spread_of
from alignment_dashboard.facts.configuration import parameters, without_seed
from alignment_dashboard.store.stored_run import StoredRun


class Finals(NamedTuple):
    """What a run reached in one stage, by the names of metrics."""

    last: Mapping[str, float]
    best: Mapping[str, float]


class Column(NamedTuple):
    """One number of every run: the last or the best value of a metric."""

    title: str
    metric: str
    is_best: bool = False
    better: Callable[..., float] | None = None
    """min or max; None where a single batch says too little to call a run better."""
    is_count: bool = False


class Cell(NamedTuple):
    """A number of one run, or the spread of several runs that differ in nothing but their seeds."""

    spread: Spread | None
    delta: float | None = None
    """The difference to the baseline; None in the baseline itself."""
    wins: bool = False


class Row(NamedTuple):
    """A run, or runs with the same configuration: the first one stands for all."""

    jobs: tuple[AlignmentJob, ...]
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """All runs with all columns that at least one of them has."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


NONE = Finals({}, {})
_MEASURED = (
    ("Accuracy", EVALUATION_REWARD_ACCURACY, REWARD_ACCURACY),
    ("Margin", EVALUATION_REWARD_MARGIN, REWARD_MARGIN),
)


_COUNTED = (
    ("Rows", ROWS_WRITTEN),
    ("Left out", ROWS_LEFT_OUT),
    ("Requests", REQUESTS),
    ("Unanswered", UNANSWERED),
    ("Prompt tokens", PROMPT_TOKENS),
    ("Answer tokens", ANSWER_TOKENS),
    ("Cost", COST),
)


def finals(stage: str, whole: StoredRun | None, own: StoredRun | None, status: StageStatus | None) -> Finals:
    """Return what a run reached: from the run of the whole job, else from the stage's run, else from the status."""
    progress = status.progress if status else None
    sources = [progress.metrics or {} if progress else {}, own.latest if own else {}, _of_whole(whole, stage, of_stage)]
    last = {metric: value for source in sources for metric, value in source.items() if metric in BEST_OF}
    return Finals(last, _of_whole(whole, stage, best_of_stage))


def columns_of(reached: Sequence[Finals]) -> tuple[Column, ...]:
    """Return the columns that at least one run has; a training value stands in only where no run has evaluated."""
    columns = [Column("Loss", LOSS), *_pair("Evaluation loss", EVALUATION_LOSS)]
    for title, evaluated, trained in _MEASURED:
        has_evaluated = any(evaluated in run.last for run in reached)
        columns += _pair(title, evaluated) if has_evaluated else [Column(f"{title} (training)", trained)]
    columns += [Column(title, metric, is_count=metric != COST) for title, metric in _COUNTED]
    return tuple(column for column in columns if any(value_of(run, column) is not None for run in reached))


def value_of(run: Finals, column: Column) -> float | None:
    """Return the number of a run in a column."""
    return (run.best if column.is_best else run.last).get(column.metric)


def table(jobs: Sequence[AlignmentJob], reached: Mapping[str, Finals], baseline: int, over_seeds: bool = False) -> Table:
    """Return the final table: a row for each run, or for each configuration if the mean over seeds is asked for."""
    groups = same_but_seed(jobs) if over_seeds else [(job,) for job in jobs]
    of = {identify(job): reached.get(identify(job), NONE) for job in jobs}
    columns = columns_of(list(of.values()))
    first = next(index for index, group in enumerate(groups) if jobs[baseline] in group)
    spreads = [[_spread([of[identify(job)] for job in group], column) for column in columns] for group in groups]
    best_of = [_best([row[index] for row in spreads], column) for index, column in enumerate(columns)]
    rows = []
    for number, (group, row) in enumerate(zip(groups, spreads, strict=True)):
        deltas = [None if number == first else _delta(*pair) for pair in zip(row, spreads[first], strict=True)]
        wins = [spread is not None and spread.mean == best for spread, best in zip(row, best_of, strict=True)]
        cells = map(Cell, row, deltas, wins)
        rows.append(Row(tuple(group), tuple(cells)))
    return Table(columns, tuple(rows))


def same_but_seed(jobs: Sequence[AlignmentJob]) -> list[tuple[AlignmentJob, ...]]:
    """Group the jobs that differ in nothing but their seeds."""
    groups: dict[frozenset[tuple[str, Value]], list[AlignmentJob]] = {}
    for job in jobs:
        groups.setdefault(frozenset(without_seed(parameters(job)).items()), []).append(job)
    return [tuple(group) for group in groups.values()]


def _of_whole(run: StoredRun | None, stage: str, named: Callable[[str, str], str]) -> dict[str, float]:
    if run is None:
        return {}
    return {metric: run.latest[named(stage, metric)] for metric in BEST_OF if named(stage, metric) in run.latest}


def _pair(title: str, metric: str) -> list[Column]:
    better = BEST_OF[metric]
    return [Column(title, metric, better=better), Column(f"Best {title.lower()}", metric, is_best=True, better=better)]


def _spread(runs: Sequence[Finals], column: Column) -> Spread | None:
    return spread_of([value for value in (value_of(run, column) for run in runs) if value is not None])


def _delta(spread: Spread | None, baseline: Spread | None) -> float | None:
    return None if spread is None or baseline is None else spread.mean - baseline.mean


def _best(spreads: Sequence[Spread | None], column: Column) -> float | None:
    """Return the best number of a column; None if nothing can be won, and where only one row has a number."""
    means = [spread.mean for spread in spreads if spread and math.isfinite(spread.mean)]
    return column.better(means) if column.better and len(means) > 1 else None
