"""Tasks whose answers are written down before, so that only the judges are asked: a real server, with whatever they say."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.run_config import RunConfig
from alignment_trainer.endpoints.question import Answer, Message
from alignment_trainer.evaluation import answers
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.measure import measure_of
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.tasks import OpenTask, open_tasks
from alignment_trainer.settings.servers import SamplingSettings
from alignment_trainer.synthesis.sampling.sampled import Said, SampledBatches
from alignment_trainer.synthesis.student import Asked

Say = Callable[[Sequence[Message]], str | None]
"""Returns what a model answers to messages; None where it cannot read them."""


def candidate(name: str) -> Candidate:
    return Candidate(name, Path("/nowhere"), weights=f"weights of {name}", template="template", quantization=None)


def opened(config: RunConfig) -> OpenTask:
    """Open the only task of a stage."""
    (task,) = open_tasks(config)
    return task


def write_answers(task: OpenTask, name: str, asked: Sequence[Asked], sampling: SamplingSettings, say: Say) -> None:
    """Keep answers of a model as if it had drawn them."""
    said = [(one, say(one.messages)) for one in asked]
    folder = answers._folder(task.config, task.settings, candidate(name), sampling)
    with SampledBatches(folder, 0) as file:
        file.append([Said(one.key, Answer(text, "stop", 3, 4)) for one, text in said if text is not None])


def score(task: OpenTask, name: str) -> list[EvaluatedRow]:
    """Have a model's answers scored, and return its rows in order."""
    measure = measure_of(task)
    assert measure.score
    with RowFile(task.stage, task.name, name) as file:
        measure.score(task, candidate(name), file)
    return rows_of(task, name)


def rows_of(task: OpenTask, name: str) -> list[EvaluatedRow]:
    """Return the rows of a model that are written."""
    found = {row.row: row for row in RowFile(task.stage, task.name, name).read()}
    return [found[place] for place in measure_of(task).places(task) if place in found]


def estimates(task: OpenTask, rows: Sequence[EvaluatedRow]) -> Mapping[str, Any]:
    """Return the estimate of each metric."""
    from alignment_trainer.evaluation.estimates import estimated

    return {metric.name: estimated(metric, rows) for metric in measure_of(task).metrics(task)}
