"""Where two models of a job differ in the rows of a task."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from alignment_api.results.collected import Reports
from alignment_api.results.evaluation import Better, EvaluatedRow
from alignment_api.results.reading import UnreadableReport, read_rows, rows_file
from alignment_api.results.rows import RowPair, direction_of, paired_rows, shared_metric, task_metrics
from alignment_api.results.standing import standing_sentence
from alignment_api.results.table import Measured

from alignment_operator.progress.tracked_reports import NoResults


class RowSource(Protocol):
    """Where rows are read."""

    def rows(self, stage: str, task: str, model: str) -> bytes | None:
        """Return the rows of a model in a task; None if there are none."""


class RowDifferences(NamedTuple):
    """The rows in which two models differ, the largest difference first."""

    task: str
    metric: str
    models: tuple[str, str]
    pairs: Sequence[RowPair]
    failed: int
    """In how many rows one of them has no score."""
    better: Better = "Neither"
    sign: str | None = None
    """Why these rows are not the last word of their stage."""


def row_differences(source: RowSource, found: Reports, task: str, between: Sequence[str] | None) -> RowDifferences:
    """Return where two models differ in a task; where none are named, the first and the last that were measured."""
    measured = next((one for one in reversed(found.evaluations) if task in _tasks(one)), None)
    if measured is None:
        names = ", ".join(dict.fromkeys(name for one in found.evaluations for name in _tasks(one)))
        raise NoResults(f"no stage has measured {task}; name one of {names or 'the tasks of a stage that evaluates'}")
    models = [model.name for model in measured.report.models]
    first, second = between or (models[0], models[-1])
    for name in (first, second):
        if name not in models:
            raise NoResults(f"{name} was not measured in {task}; name two of {', '.join(models)}")
    of_first, of_second = (_rows(source, measured.stage, task, name) for name in (first, second))
    metric = shared_metric(task_metrics(measured.report, task), of_first, of_second)
    if metric is None:
        raise NoResults(f"the rows of {first} and {second} in {task} have no score in common, so they cannot be compared")
    pairs, better = paired_rows(of_first, of_second, metric), direction_of(measured.report, task, metric)
    failed, sign = sum(pair.difference is None for pair in pairs), standing_sentence(measured.stage, measured.standing)
    return RowDifferences(task, metric, (first, second), [pair for pair in pairs if pair.difference], failed, better, sign)


def _tasks(measured: Measured) -> list[str]:
    return list(dict.fromkeys(score.task for score in measured.report.scores))


def _rows(source: RowSource, stage: str, task: str, model: str) -> list[EvaluatedRow]:
    try:
        content, name = source.rows(stage, task, model), f"{rows_file(task, model)} of stage {stage}"
        if content is not None:
            return read_rows(content, name)
        raise NoResults(f"{name} is not there; the rows were not kept, or the task has none")
    except UnreadableReport as error:
        raise NoResults(str(error)) from error
