"""Opens the tasks of a stage: which rows they measure."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.evaluation import Task

from alignment_trainer.checks.tasks import TaskKind, task_kind
from alignment_trainer.data.mixture import draw
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.reading.sources import PlacedRow
from alignment_trainer.settings.evaluation import EvaluationSettings, TaskSettings, evaluation_settings


class TaskRow(NamedTuple):
    """One row of a task."""

    place: str
    """Where it is, as messages show it; unique within the task, and `EvaluatedRow.row`."""
    value: Any
    """What the task's kind reads of it (checks/tasks.py), and what judges see beside the answers to it."""


class OpenTask(NamedTuple):
    """A task with its rows, which are the same for all models and in all processes."""

    name: str
    """As the report calls it; also a folder."""
    path: str
    """Its field in the job, for messages."""
    task: Task
    rows: list[TaskRow]
    settings: EvaluationSettings
    config: RunConfig

    @property
    def stage(self) -> Path:
        """Return the stage's folder."""
        return Path(self.config.paths.stage)


def open_tasks(config: RunConfig) -> list[OpenTask]:
    """Open all tasks of the stage; a failure has a sentence for each of them that cannot be opened."""
    settings = evaluation_settings(config)
    opened, failures = list[OpenTask](), list[BadConfiguration | BadData]()
    for own in settings.tasks:
        try:
            opened.append(open_task(config, settings, own))
        except (BadConfiguration, BadData) as failure:
            failures.append(failure)
    if failures:
        raise type(failures[0])("\n".join(map(str, failures)))
    return opened


def open_task(config: RunConfig, settings: EvaluationSettings, own: TaskSettings) -> OpenTask:
    """Open one task: read all rows that it measures."""
    kind = task_kind(own)
    open_rows: Callable[[RunConfig, TaskSettings], list[TaskRow]] | None = resolve_name(kind.opened) if kind.opened else None
    rows = open_rows(config, own) if open_rows else _rows(config, settings, own, kind)
    if not rows:
        raise BadData(f"{own.path}.dataset: none of its rows can be measured; correct it, or remove the task")
    if kind.joined:
        rows = resolve_name(kind.joined)(config, own, rows)
    return OpenTask(own.task.name, own.path, own.task, rows, settings, config)


def _rows(config: RunConfig, settings: EvaluationSettings, own: TaskSettings, kind: TaskKind) -> list[TaskRow]:
    """Read the rows that the task measures: all of them, or as many as its limit, drawn with the seed."""
    dataset = own.task.dataset
    assert dataset is not None, "each measure has a dataset"
    source = kind.find(dataset, config.paths)
    limited = [dataset] if own.task.limit is None else [_limited(dataset, own.task.limit)]
    (drawn,) = draw(limited, [sum(source.counts)], None, settings.seed)
    read = (_read(row, own, kind) for row in source.rows(frozenset(drawn.train)))
    return [row for row in read if row is not None]


def _limited(dataset: Dataset, limit: int) -> Dataset:
    return dataset.model_copy(update={"max_examples": min(limit, dataset.max_examples or limit)})


def _read(row: PlacedRow, own: TaskSettings, kind: TaskKind) -> TaskRow | None:
    try:
        return TaskRow(row.place, row.read_as(kind.read, f"{own.path}.dataset"))
    except LeftOut:
        return None
