"""Checks the benchmarks of an evaluate stage: whether lm-eval has them, this trainer can run them, and their files are whole."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.run_config import Paths, RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.checks.datasets import Rows
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.official_tasks.fitness import benchmark_faults
from alignment_trainer.official_tasks.members import Benchmark, benchmark_of
from alignment_trainer.official_tasks.packaged import Unknown
from alignment_trainer.official_tasks.splits import file_faults, files_of, folder_of
from alignment_trainer.reading.row_survey import Seen
from alignment_trainer.reading.sources import Source, find_source
from alignment_trainer.settings.evaluation import TaskSettings
from alignment_trainer.workspace.paths import workspace_path


def check_benchmark(config: RunConfig, own: TaskSettings) -> None:
    """Refuse a benchmark that lm-eval lacks, that this trainer cannot run, or whose files are not there."""
    task = own.task
    assert task.benchmark is not None
    try:
        official = benchmark_of(task.benchmark)
        fault = next(benchmark_faults(official, task.few_shot), None)
        benchmark = official if task.few_shot is None else benchmark_of(task.benchmark, task.few_shot)
    except Unknown as unknown:
        raise BadConfiguration(f"{own.path}.benchmark: {unknown}") from unknown
    if fault:
        raise BadConfiguration(f"{own.path}.benchmark: {fault}")
    if task.dataset:
        _check_dataset(config, own.path, task.dataset, benchmark)


def benchmark_rows(own: TaskSettings) -> Iterator[Rows]:
    """Return the rows of the files that take the place of the Hub's."""
    if own.task.dataset and own.task.benchmark:
        find = partial(_found, benchmark_of(own.task.benchmark, own.task.few_shot))
        yield Rows(f"{own.path}.dataset", [own.task.dataset], _seen, find, is_one=True)


def _check_dataset(config: RunConfig, path: str, dataset: Dataset, benchmark: Benchmark) -> None:
    more = sorted(set(dataset.dump()) - {"uri", "name"})
    uri = str(dataset.uri)
    if more or not uri.startswith(WORKSPACE_PREFIX):
        what = f"remove {more[0]}" if more else "name a folder as workspace://path"
        raise BadConfiguration(f"{path}.dataset: a benchmark reads all rows of a folder on the workspace volume; {what}")
    fault = next(file_faults(benchmark, workspace_path(uri, config.paths.workspace), uri), None)
    if fault:
        raise BadData(f"{path}.dataset: {fault}")


def _found(benchmark: Benchmark, dataset: Dataset, paths: Paths) -> Source:
    """Return the rows of all files of a benchmark."""
    folder = workspace_path(str(dataset.uri), paths.workspace)
    files = [file for task in benchmark.tasks for file in files_of(task, folder_of(benchmark, task, folder)).values()]
    uris = [f"{str(dataset.uri).rstrip('/')}/{file.relative_to(folder)}" for file in files]
    return Source([part for uri in uris for part in find_source(Dataset(uri=uri), paths).parts])


def _seen(_: dict[str, Any]) -> Seen:
    """Count a row that can be read: which columns it needs, lm-eval knows."""
    return Seen()
