"""The figures of a benchmark, as the rows of the report give them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.spec.settings.evaluation import Task as JobTask

from alignment_trainer.evaluation.measure import Corpus, Metric
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.official_tasks.members import Benchmark, benchmark_of
from alignment_trainer.official_tasks.reported import Reported, reported

TASK, LIKELIHOOD = "task", "log_likelihood"
"""Details of a row: which task of a group it is of, and the logarithm of how likely its text is."""
Sums = np.ndarray[Any, np.dtype[np.float64]]


def weight_of(metric: str) -> str:
    """Return the detail with the words or bytes over which a perplexity is taken."""
    return f"{metric}_weight"


def benchmark_in(task: JobTask) -> Benchmark:
    """Return the benchmark of a task of the stage."""
    assert task.benchmark is not None
    return benchmark_of(task.benchmark, task.few_shot)


def figures_of(task: OpenTask) -> list[Metric]:
    """Return the figures that a benchmark reports."""
    return [_metric(one) for one in reported(benchmark_in(task.task))]


def _metric(one: Reported) -> Metric:
    corpora = {
        "Perplexity": Corpus(partial(_likelihood, one.metric), _perplexity),
        "Bits": Corpus(partial(_likelihood, one.metric), _bits),
        "Average": Corpus(partial(_parts, one.averaged), _average),
    }
    return Metric(one.name, one.better, one.is_main, corpora.get(one.kind), is_about=partial(_is_about, frozenset(one.tasks)))


def _is_about(tasks: frozenset[str], row: EvaluatedRow) -> bool:
    return row.details[TASK] in tasks


def _likelihood(metric: str, row: EvaluatedRow) -> Sequence[float] | None:
    likelihood, weight = row.details.get(LIKELIHOOD), row.details.get(weight_of(metric))
    return None if likelihood is None or weight is None else (float(likelihood), float(weight))


def _perplexity(sums: Sums) -> Any:
    return np.exp(-sums[0] / sums[1])


def _bits(sums: Sums) -> Any:
    return -sums[0] / sums[1] / np.log(2)


def _parts(averaged: Sequence[str], row: EvaluatedRow) -> Sequence[float] | None:
    """Return a value and a count for each figure that is averaged: a row counts in one of them."""
    values = [row.scores.get(name) for name in averaged]
    if all(value is None for value in values):
        return None
    return [number for value in values for number in ((0.0, 0.0) if value is None else (value, 1.0))]


def _average(sums: Sums) -> Any:
    """Return the mean of the figures; a drawn sample of few rows may have none of a task."""
    values, counts = sums[0::2], sums[1::2]
    figures = np.divide(values, counts, out=np.full_like(values, np.nan), where=counts > 0)
    return np.nanmean(figures, axis=0)
