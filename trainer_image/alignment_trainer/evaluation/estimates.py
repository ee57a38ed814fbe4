"""Estimates of a metric, and of the difference of two models, from their rows; pure."""

from collections.abc import Sequence

from alignment_api.results.evaluation import Estimate, EvaluatedRow

from alignment_trainer.evaluation.measure import Metric, RowsOfModels
from alignment_trainer.judging.bootstrap import Sums, corpus, corpus_difference
from alignment_trainer.judging.statistics import clustered, clustered_difference


def estimated(metric: Metric, rows: Sequence[EvaluatedRow]) -> Estimate:
    """Return a metric of one model's rows; those without a value are counted as failed, and never as 0."""
    return Estimates(metric, {"": rows}).of("")


class Estimates:
    """One metric of several models, of which each is added up once, however many others it is compared with."""

    def __init__(self, metric: Metric, rows: RowsOfModels) -> None:
        self.metric, self._rows = metric, rows
        self._sums: dict[str, Sums] = {}

    def of(self, model: str) -> Estimate:
        """Return the metric of one model."""
        if self.metric.whole:
            return self.metric.whole(self._rows[model])
        if self.metric.corpus:
            return corpus(self._summed(model), self.metric.corpus.value)
        return clustered(self._values(model).values(), is_share=not self.metric.is_unbounded)

    def difference(self, model: str, first: str) -> Estimate:
        """Return by how much a model exceeds the first one, on the rows that both have values of."""
        if self.metric.corpus:
            return corpus_difference(self._summed(model), self._summed(first), self.metric.corpus.value)
        return clustered_difference(self._values(model), self._values(first), is_share=not self.metric.is_unbounded)

    def _values(self, model: str) -> dict[str, tuple[str, float | None]]:
        """Return the scores of the rows that the metric is of: that of one category is of no row of another."""
        name, rows = self.metric.name, self.metric.own(self._rows[model])
        return {row.row: (row.key, row.scores[name]) for row in rows if name in row.scores}

    def _summed(self, model: str) -> Sums:
        assert self.metric.corpus is not None
        if model not in self._sums:
            statistics, rows = self.metric.corpus.statistics, self.metric.own(self._rows[model])
            self._sums[model] = Sums({row.row: (row.key, statistics(row)) for row in rows})
        return self._sums[model]
