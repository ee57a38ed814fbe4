"""Fails a stage in which too many rows of a task could not be measured; they never count as 0."""

from collections import Counter
from collections.abc import Sequence

from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.spec.settings.evaluation import JUDGED

from alignment_trainer.evaluation.measure import Metric
from alignment_trainer.evaluation.report import Measured
from alignment_trainer.failures import StageFailure, TooFewRows, UnusableAnswers
from alignment_trainer.synthesis.made import by_reason


def check_failures(measured: Sequence[Measured], names: Sequence[str]) -> None:
    """Raise the failure of the first task and model beyond maximumFailedShare; all that was measured stays."""
    for one in measured:
        for name in names:
            _check(one, name)


def failed_rows(rows: Sequence[EvaluatedRow], metrics: Sequence[Metric]) -> list[EvaluatedRow]:
    """Return the rows without a value of a main metric."""
    main = [metric for metric in metrics if metric.is_main]
    return [row for row in rows if any(_lacks(row, metric) for metric in main)]


def _lacks(row: EvaluatedRow, metric: Metric) -> bool:
    if metric.corpus:
        return bool(metric.own([row])) and metric.corpus.statistics(row) is None
    return metric.name in row.scores and row.scores[metric.name] is None


def _check(one: Measured, name: str) -> None:
    rows, share = one.rows[name], one.task.settings.maximum_failed_share
    failed = failed_rows(rows, one.measure.metrics(one.task))
    if len(failed) > share * len(rows):
        reasons = by_reason(Counter(row.reason or "no score" for row in failed))
        raise _failure(
            one,
            f"{one.task.path}: {len(failed)} of {len(rows)} rows of {name} could not be measured ({reasons}), "
            f"more than maximumFailedShare {share:g}",
        )


def _failure(one: Measured, what: str) -> StageFailure:
    """Return a failure that is retried only if another attempt would ask something."""
    if one.task.task.measure in JUDGED:
        return TooFewRows(f"{what}; all others are kept, and the next attempt asks the judges for these")
    return UnusableAnswers(f"{what}; another attempt would measure the same, so correct the rows, or raise the share")
