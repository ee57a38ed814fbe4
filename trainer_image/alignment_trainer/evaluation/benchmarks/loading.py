"""Loads the tasks of a benchmark with lm-eval: the official files, with changed data and numbers of examples."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from accelerate import PartialState
from alignment_api.problems import first_line
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import HfHubHTTPError
from jinja2 import TemplateError
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager

from alignment_trainer.evaluation.benchmarks.given_rows import given_rows
from alignment_trainer.failures import BadData
from alignment_trainer.official_tasks.members import Benchmark, Task
from alignment_trainer.official_tasks.splits import data_settings, folder_of

EXAMPLES_SEED = 1234
"""With which lm-eval's own command draws worked examples, so that published scores have the same ones."""


def load_tasks(benchmark: Benchmark, folder: Path | None, path: str) -> dict[str, ConfigurableTask]:
    """Load all tasks of a benchmark, with the rows of a folder or of the Hub; `path` is the field of the task in the job."""
    load = partial(_load, benchmark, folder)
    try:
        if folder:
            return load()
        # The first process downloads what the others then find in the cache.
        with PartialState().main_process_first():
            return load()
    except (ConnectionError, DatasetNotFoundError, HfHubHTTPError) as error:
        raise BadData(
            f"{path}: the rows of {benchmark.name} cannot be loaded from the Hub ({first_line(error)}); without access to it, "
            f"copy them to the workspace volume, a file for each split such as test.jsonl, and name the folder in dataset"
        ) from error
    except (TemplateError, LookupError, TypeError, ValueError) as error:
        if folder is None:
            raise
        raise BadData(
            f"{path}.dataset: its rows lack what {benchmark.name} reads ({type(error).__name__}: {first_line(error)}); "
            f"give them the columns of the Hub's rows"
        ) from error


def _load(benchmark: Benchmark, folder: Path | None) -> dict[str, ConfigurableTask]:
    with TemporaryDirectory() as written:
        for task in benchmark.tasks:
            own = folder_of(benchmark, task, folder) if folder else None
            (Path(written) / f"{task.name}.yaml").write_text(_changed(task, own))
        # Its own folder has 14,000 files, which it would all parse.
        manager = TaskManager(include_path=written, include_defaults=False)
        loaded: Mapping[str, Any] = manager.load([task.name for task in benchmark.tasks])["tasks"]
    return {task.name: _ready(loaded[task.name], task) for task in benchmark.tasks}


def _changed(task: Task, folder: Path | None) -> str:
    """Return a file for lm-eval that includes the official one, and says what is different."""
    settings = {"include": str(task.file), "task": task.name, **task.set_by_group, **data_settings(task, folder)}
    rows = f"custom_dataset: !function {given_rows.__module__}.{given_rows.__name__}\n" if folder else ""
    return yaml.safe_dump(settings) + rows


def _ready(loaded: ConfigurableTask, task: Task) -> ConfigurableTask:
    loaded.set_config("num_fewshot", task.few_shot)
    loaded.set_fewshot_seed(EXAMPLES_SEED)
    return loaded
