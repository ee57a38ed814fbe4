"""Opens a benchmark as a task of the stage: which rows it measures, and what its scores depend on."""

from collections.abc import Callable
from pathlib import Path

from alignment_api.results.evaluation import Settings
from alignment_api.run_config import RunConfig
from alignment_api.spec.settings.evaluation import Task as JobTask

from alignment_trainer.evaluation.benchmarks.answered import CONTEXT
from alignment_trainer.evaluation.benchmarks.figures import benchmark_in
from alignment_trainer.evaluation.benchmarks.harness import SOFTMAX
from alignment_trainer.evaluation.benchmarks.loading import EXAMPLES_SEED, load_tasks
from alignment_trainer.evaluation.benchmarks.questions import check_questions, questions_of
from alignment_trainer.evaluation.measure import RowsOfModels
from alignment_trainer.evaluation.subject import numbers_of
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.official_tasks.members import Benchmark, Group, Task
from alignment_trainer.official_tasks.packaged import harness_version
from alignment_trainer.official_tasks.splits import files_of, folder_of, splits_of
from alignment_trainer.settings.evaluation import TaskSettings
from alignment_trainer.workspace.paths import workspace_path

_PLAIN = "as lm-eval writes it, without the chat template; the tokenizer adds its first token"
_WINDOWS = "of a whole document in windows as long as the model reads, by words and bytes of the text before its detokenization"


def opened(config: RunConfig, own: TaskSettings) -> list[TaskRow]:
    """Return the rows of a benchmark; all processes call this alike."""
    benchmark, folder = benchmark_in(own.task), _folder(config, own.task)
    tasks = load_tasks(benchmark, folder, own.path)
    questions = [question for name in tasks for question in questions_of(tasks[name], own.task.limit, own.path)]
    if folder:
        # The Hub's rows are those that lm-eval was written for.
        check_questions(questions, own.path)
    return [TaskRow(question.row, question) for question in questions]


def settings_of(task: OpenTask) -> Settings:
    """Return all that shapes the scores beside model, rows and prompts."""
    benchmark = benchmark_in(task.task)
    folder = _folder(task.config, task.task)
    texts = [one.name for one in benchmark.tasks if one.settings.get("output_type") == "loglikelihood_rolling"]
    return {
        "lm_eval": harness_version(),
        "version": benchmark.version,
        "few_shot": _each(benchmark, lambda one: str(one.few_shot)),
        "few_shot_seed": EXAMPLES_SEED,
        "split": _each(benchmark, lambda one: str(_splits(benchmark, one, folder))),
        "limit": task.task.limit,
        "prompt": _PLAIN,
        "numbers": f"{numbers_of(task.config, task.settings)}, softmax in {SOFTMAX}",
        **({"versions": _each(benchmark, lambda one: one.version)} if isinstance(benchmark, Group) else {}),
        **({"perplexity": _WINDOWS} if texts else {}),
    }


def seen_in(task: OpenTask, rows: RowsOfModels) -> Settings:
    """Return how many tokens the models read at once, where a score depends on it."""
    found = {int(row.details[CONTEXT] or 0) for of in rows.values() for row in of if CONTEXT in row.details}
    return {CONTEXT: " and ".join(map(str, sorted(found)))} if found else {}


def _folder(config: RunConfig, task: JobTask) -> Path | None:
    return workspace_path(str(task.dataset.uri), config.paths.workspace) if task.dataset else None


def _splits(benchmark: Benchmark, task: Task, folder: Path | None) -> str | None:
    files = files_of(task, folder_of(benchmark, task, folder)) if folder else None
    return splits_of(task, files).measured


def _each(benchmark: Benchmark, value: Callable[[Task], str]) -> str:
    """Return a value of all tasks: of a group, where they differ, with the member that has it."""
    if len(values := {value(task): None for task in benchmark.tasks}) == 1 or isinstance(benchmark, Task):
        return next(iter(values))
    return ", ".join(f"{member.name} {'/'.join({value(task): None for task in member.tasks})}" for member in benchmark.members)
