"""Estimates of a metric, and of the difference of two models, from their rows; pure."""

from collections.abc import Sequence

from alignment_api.results.evaluation import Estimate, EvaluatedRow

from alignment_trainer.evaluation.measure import Corpus, Metric
from alignment_trainer.judging.statistics import clustered, clustered_difference, corpus, corpus_difference


def estimated(metric: Metric, rows: Sequence[EvaluatedRow]) -> Estimate:
    """Return a metric of one model's rows; those without a value are counted as failed, and never as 0."""
    if metric.whole:
        return metric.whole(rows)
    rows = metric.own(rows)
    if metric.corpus is None:
        return clustered(_values(metric, rows).values(), is_share=not metric.is_unbounded)
    return corpus(_statistics(metric.corpus, rows).values(), metric.corpus.value)


def difference(metric: Metric, rows: Sequence[EvaluatedRow], first: Sequence[EvaluatedRow]) -> Estimate:
    """Return by how much a metric exceeds that of the first model, on the rows that both have values of."""
    rows, first = metric.own(rows), metric.own(first)
    if metric.corpus is None:
        return clustered_difference(_values(metric, rows), _values(metric, first), is_share=not metric.is_unbounded)
    return corpus_difference(_statistics(metric.corpus, rows), _statistics(metric.corpus, first), metric.corpus.value)


def _values(metric: Metric, rows: Sequence[EvaluatedRow]) -> dict[str, tuple[str, float | None]]:
    """Return the scores of the rows that the metric is of: that of one category is of no row of another."""
    return {row.row: (row.key, row.scores[metric.name]) for row in rows if metric.name in row.scores}


def _statistics(metric: Corpus, rows: Sequence[EvaluatedRow]) -> dict[str, tuple[str, Sequence[float] | None]]:
    return {row.row: (row.key, metric.statistics(row)) for row in rows}
