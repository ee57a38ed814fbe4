"""What a measure is: how a model is measured on a task's rows, and which metrics follow from the rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
from alignment_api.results.evaluation import Better, Estimate, EvaluatedRow, JudgePanel, Settings
from alignment_api.spec.stage_model import StageModel

from alignment_trainer.checks.tasks import task_kind
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.settings.evaluation import TaskSettings

RowsOfModels = Mapping[str, Sequence[EvaluatedRow]]
"""The rows of one task, by the model that was measured."""


class Corpus(NamedTuple):
    """A metric of all rows together, which is no mean of theirs, such as BLEU and perplexity."""

    statistics: Callable[[EvaluatedRow], Sequence[float] | None]
    """Returns numbers of a row that add up over rows; None where the row failed."""
    value: Callable[[np.ndarray[Any, Any]], Any]
    """Computes the metric from their sums; of many corpora at once, each sum is an array (judging/bootstrap.py)."""


class Metric(NamedTuple):
    """One figure of a task; without `corpus`, the mean of `EvaluatedRow.scores` of this name."""

    name: str
    better: Better
    is_main: bool = False
    """Whether a table of few columns shows it; failed rows are counted by it."""
    corpus: Corpus | None = None
    whole: Callable[[Sequence[EvaluatedRow]], Estimate] | None = None
    """Estimates the metric from all rows, where it is neither a mean nor a corpus metric; no models are compared in it."""
    is_about: Callable[[EvaluatedRow], bool] | None = None
    """Which rows a corpus metric is a figure of; of all, if None. The rows of a group of benchmarks belong to several tasks."""

    is_unbounded: bool = False
    """Whether it may lie beyond 0 and 1, such as a length or a grade, so that it is no share even if all its values are 0."""

    def own(self, rows: Sequence[EvaluatedRow]) -> Sequence[EvaluatedRow]:
        """Return the rows that it is a figure of."""
        return rows if self.is_about is None else [row for row in rows if self.is_about(row)]


def _identical(task: OpenTask, model: str, rows: RowsOfModels) -> list[EvaluatedRow]:
    return list(rows[model])


def _no_others(task: OpenTask) -> Sequence[StageModel]:
    return ()


def _no_model(task: OpenTask, model: str) -> StageModel | None:
    return None


def _nothing(task: OpenTask, rows: RowsOfModels) -> Settings:
    return {}


def _one_each(task: OpenTask) -> list[str]:
    return [row.place for row in task.rows]


def _no_notes(task: OpenTask, rows: RowsOfModels) -> Iterable[str]:
    return ()


def _no_faults(task: OpenTask, folder: Path) -> Iterable[str]:
    return ()


def _no_panel(task: OpenTask, rows: RowsOfModels) -> JudgePanel | None:
    return None


class Measure(NamedTuple):
    """How one measure works. A row is written by `measure`, or by `score`; the next attempt writes only those that miss."""

    metrics: Callable[[OpenTask], Sequence[Metric]]
    settings: Callable[[OpenTask], Settings]
    """Returns all that shapes a score beside the model, such as versions and signatures."""
    measure: Callable[[Subject, OpenTask, RowFile], None]
    """With the model loaded; all processes call it alike. A measure by likelihood appends its share of the rows to the file
    (likelihood.py). A measure of answers has the model answer (answers.py), and its rows come from `score`."""
    score: Callable[[OpenTask, Candidate, RowFile], None] | None = None
    """Without a model, on the first process: appends rows made of the kept answers; may take hours, and ask judges."""
    finish: Callable[[OpenTask, str, RowsOfModels], list[EvaluatedRow]] = _identical
    """Returns a model's rows as they are published, made of those of all models; pure."""
    others: Callable[[OpenTask], Sequence[StageModel]] = _no_others
    """Returns models that are measured for the sake of the others, before these, and are in no table: an opponent."""
    relative_to: Callable[[OpenTask, str], StageModel | None] = _no_model
    """Returns the model that the scores of one are relative to: an opponent, or what a training started from."""
    seen: Callable[[OpenTask, RowsOfModels], Settings] = _nothing
    """Returns what shapes a score and is known only once models are loaded, such as how much they read at once."""
    panel: Callable[[OpenTask, RowsOfModels], JudgePanel | None] = _no_panel
    """Returns what the published rows show of their judges."""
    notes: Callable[[OpenTask, RowsOfModels], Iterable[str]] = _no_notes
    """Returns sentences about what limits the figures of the published rows."""
    faults: Callable[[OpenTask, Path], Iterable[str]] = _no_faults
    """Returns sentences about why no model can be measured in the task, from a folder of one and before one is loaded."""
    places: Callable[[OpenTask], list[str]] = _one_each
    """Returns `EvaluatedRow.row` of all rows that are measured of each model, in order: one for each turn of a dialogue."""


def measure_of(task: OpenTask) -> Measure:
    """Return how a task is measured."""
    measure: Measure = resolve_name(task_kind(TaskSettings(task.path, task.task)).measure)
    return measure
