"""What each measure of an evaluate stage reads, and where it is computed, one row a measure; its rows are checked before."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.checks.benchmarks import benchmark_rows, check_benchmark
from alignment_trainer.checks.datasets import Findings, Rows
from alignment_trainer.checks.start_template import lacks_template
from alignment_trainer.data.openings import read_opening
from alignment_trainer.data.tasks.choices import read_choices
from alignment_trainer.data.tasks.documents import read_document
from alignment_trainer.data.tasks.mt_bench import read_reference, read_turns
from alignment_trainer.data.tasks.outputs import read_output
from alignment_trainer.data.tasks.problems import read_problem
from alignment_trainer.data.tasks.references import read_references
from alignment_trainer.data.tasks.stances import read_sensitive
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.forms.columns import Find, find_rows
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.pairs.labelled_rows import find_pairs
from alignment_trainer.forms.rows import read_pair
from alignment_trainer.model_folder.configuration import size_of
from alignment_trainer.model_folder.start import base_description
from alignment_trainer.reading.row_survey import Seen
from alignment_trainer.reading.sources import find_source
from alignment_trainer.settings.evaluation import TaskSettings, evaluation_settings


class TaskKind(NamedTuple):
    """One measure in this trainer."""

    measure: str
    """The object that computes it (evaluation/measure.py); a name, since its module loads torch."""
    read: Callable[[dict[str, Any]], Any]
    """Reads a row; raises BadRow where it cannot be measured, and LeftOut where the task leaves it out."""
    find: Find = find_rows
    asks: bool = False
    """Whether models are asked in dialogues, for which they need a chat template."""
    opened: str = ""
    """The function that opens the task where a library reads its rows; a name, too."""
    joined: str = ""
    """The function that adds to the rows what judges see beside the answers, from a file of its own; a name, too."""


_MEASURES = "alignment_trainer.evaluation.measures"
_BENCHMARKS = "alignment_trainer.evaluation.benchmarks"
_JUDGED = "alignment_trainer.evaluation.judged"
OPEN_TASK = "alignment_trainer.evaluation.tasks:open_task"
"""Opens a task from the RunConfig, the settings of the stage and those of the task; a name, too."""
_BENCHMARK = "benchmark"


def _as_it_is(row: dict[str, Any]) -> dict[str, Any]:
    return row


TASKS: dict[str, TaskKind] = {
    _BENCHMARK: TaskKind(f"{_BENCHMARKS}.measure:MEASURE", _as_it_is, opened=f"{_BENCHMARKS}.opening:opened"),
    "MultipleChoice": TaskKind(f"{_MEASURES}.multiple_choice:MEASURE", read_choices),
    "References": TaskKind(f"{_MEASURES}.references:MEASURE", read_references, asks=True),
    "MTBench": TaskKind(
        f"{_MEASURES}.mt_bench:MEASURE", read_turns, find_source, asks=True, joined=f"{_JUDGED}.right_answers:with_right_answers"
    ),
    "AlpacaEval": TaskKind(
        f"{_MEASURES}.alpaca_eval:MEASURE", read_opening, asks=True, joined=f"{_JUDGED}.opponents:with_outputs"
    ),
    "Refusals": TaskKind(f"{_MEASURES}.refusals:MEASURE", read_sensitive, asks=True),
    "Preferences": TaskKind(f"{_MEASURES}.preferences:MEASURE", lambda row: read_pair(row).example, find_pairs),
    "Perplexity": TaskKind(f"{_MEASURES}.perplexity:MEASURE", read_document),
    "HumanEval": TaskKind(f"{_MEASURES}.human_eval:MEASURE", read_problem),
}
"""By the task's measure."""


def task_kind(settings: TaskSettings) -> TaskKind:
    """Return the row of a task's measure."""
    name = str(settings.task.measure or _BENCHMARK)
    if name not in TASKS:
        raise BadConfiguration(f"{settings.path}: this trainer cannot measure {name}; it measures {', '.join(TASKS)}")
    return TASKS[name]


def check_evaluation(config: RunConfig) -> None:
    """Refuse an evaluate stage that lacks a setting, or has a task that this trainer cannot measure."""
    for task in evaluation_settings(config).tasks:
        if task_kind(task).asks and lacks_template(config):
            raise BadConfiguration(
                f"{task.path}: the model's tokenizer has no chat template, and questions are asked as dialogues; "
                "set spec.model.chatTemplate to Zephyr or ChatML"
            )
        if task.task.benchmark:
            check_benchmark(config, task)
        if task.task.measure == "Perplexity":
            described = base_description(config)
            for fault in window_faults(task, described) if described else ():
                raise BadConfiguration(fault)


def window_faults(settings: TaskSettings, described: dict[str, Any]) -> Iterator[str]:
    """Yield why a model, by its config.json, cannot read the windows of a task; training does not change how much it reads."""
    task, most = settings.task, size_of(described, "max_position_embeddings")
    if most and task.window and task.window > most:
        yield f"{settings.path}.window: {task.window}, but the model reads at most {most} tokens; lower it"
    if most and task.stride and task.stride > (task.window or most):
        yield (
            f"{settings.path}.stride: {task.stride}, so the text between two windows of {task.window or most} tokens would not "
            "be measured; lower it"
        )


def joined_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    """Yield why rows of tasks lack what files beside them have for each row, such as an opponent's answers."""
    settings = evaluation_settings(config)
    for own in settings.tasks:
        if task_kind(own).joined and is_read(own, findings):
            try:
                resolve_name(OPEN_TASK)(config, settings, own)
            except BadData as fault:
                yield str(fault)


def is_read(own: TaskSettings, findings: Findings) -> bool:
    """Return whether all files of a task were read and have rows: those of an earlier stage may still be missing."""
    return all(findings.counts.get(rows.field) for rows in _rows_of(own))


def evaluation_rows(config: RunConfig) -> Iterator[Rows]:
    """Return the rows that the tasks measure."""
    for settings in evaluation_settings(config).tasks:
        yield from _rows_of(settings)


def _rows_of(settings: TaskSettings) -> Iterator[Rows]:
    if settings.task.benchmark:
        yield from benchmark_rows(settings)
    elif settings.task.dataset:
        kind = task_kind(settings)
        yield Rows(f"{settings.path}.dataset", [settings.task.dataset], _Check(kind.read), kind.find, is_one=True)
    yield from _beside(settings)


def _beside(settings: TaskSettings) -> Iterator[Rows]:
    """Return the rows that judges see beside the answers of the models."""
    references, against = settings.task.references, settings.task.against
    if references:
        yield Rows(f"{settings.path}.references", [references], _Check(read_reference), find_source, is_one=True)
    if against and against.outputs:
        yield Rows(f"{settings.path}.against.outputs", [against.outputs], _Check(read_output), find_source, is_one=True)


@dataclass(frozen=True)
class _Check:
    """Checks rows that are read in one way; equal checks of two tasks count as one."""

    read: Callable[[dict[str, Any]], Any]

    def __call__(self, row: dict[str, Any]) -> Seen:
        try:
            self.read(row)
        except LeftOut as left_out:
            return Seen(left_out.reason)
        return Seen()
