"""Where two models differ: their rows of one task, joined, the largest difference first."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alignment_api.results.evaluation import Better, EvaluatedRow, EvaluationReport


class RowPair(NamedTuple):
    """One row of a task as two models answered it."""

    first: EvaluatedRow
    second: EvaluatedRow
    difference: float | None
    """By how much the second's score exceeds the first's; None if one of them has none."""


def paired_rows(first: Iterable[EvaluatedRow], second: Iterable[EvaluatedRow], metric: str) -> list[RowPair]:
    """Join the rows of two models by prompt and row; first those that differ most, then those without a score, then the rest."""
    known = {(row.key, row.row): row for row in first}
    joined = [RowPair(known[row.key, row.row], row, None) for row in second if (row.key, row.row) in known]
    pairs = [pair for pair in joined if _has(pair.first, metric) or _has(pair.second, metric)]
    scored = [pair._replace(difference=_difference(pair, metric)) for pair in pairs]
    return sorted(scored, key=_rank)


def shared_metric(metrics: Sequence[str], first: Iterable[EvaluatedRow], second: Iterable[EvaluatedRow]) -> str | None:
    """Return the first of the metrics that rows of both models have: some are only of a whole task, such as an average."""
    of_both = set(row_metrics(first)) & set(row_metrics(second))
    return next((name for name in (*metrics, *sorted(of_both)) if name in of_both), None)


def task_metrics(report: EvaluationReport, task: str) -> list[str]:
    """Return the metrics of a task, its main ones first."""
    of_task = [score for score in report.scores if score.task == task]
    return list(dict.fromkeys(score.metric for score in sorted(of_task, key=lambda score: not score.is_main)))


def direction_of(report: EvaluationReport, task: str, metric: str) -> Better:
    """Return which values of a metric are better; of a metric that only rows have, neither."""
    known = (score.better for score in report.scores if (score.task, score.metric) == (task, metric))
    return next(known, "Neither")


def row_metrics(rows: Iterable[EvaluatedRow]) -> list[str]:
    """Return the metrics that rows have, in the order in which they come."""
    return list(dict.fromkeys(metric for row in rows for metric in row.scores))


def _has(row: EvaluatedRow, metric: str) -> bool:
    """Return whether a metric is one of a row: rows of another task of a group have others, and a failed row may have none."""
    return metric in row.scores or not row.scores


def _difference(pair: RowPair, metric: str) -> float | None:
    scores = [row.scores.get(metric) for row in (pair.first, pair.second)]
    return None if scores[0] is None or scores[1] is None else scores[1] - scores[0]


def _rank(pair: RowPair) -> tuple[int, float, str]:
    if pair.difference is None:
        return 1, 0.0, pair.first.row
    return 0 if pair.difference else 2, -abs(pair.difference), pair.first.row
