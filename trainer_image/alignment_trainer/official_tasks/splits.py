"""Which splits a task names, which of them are measured and shown as examples, and the files that take their place."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from alignment_trainer.official_tasks.members import Benchmark, Task
from alignment_trainer.reading.row_files import FORMATS

_FIELDS = ("training_split", "validation_split", "test_split")
_MEASURED = ("test_split", "validation_split")


class Splits(NamedTuple):
    """What a task reads of its rows."""

    measured: str | None
    """None if the files have none of those that could be measured."""
    examples: str | None
    """Where the worked examples come from; None if the task shows none, or has its own."""
    named: tuple[str, ...]


def splits_of(task: Task, present: Collection[str] | None = None) -> Splits:
    """Return the splits of a task, as lm-eval chooses them; of files, the measured one is among those that are present."""
    official = [split for field in _FIELDS if (split := task.settings.get(field))]
    of_examples = _examples_split(task.settings) or official[0] if official else None
    measured = [split for field in _MEASURED if (split := task.settings.get(field)) and (present is None or split in present)]
    return Splits(
        measured[0] if measured else None,
        of_examples if task.few_shot and not _brings_examples(task.settings) else None,
        tuple(dict.fromkeys([*official, *([of_examples] if of_examples else [])])),
    )


def data_settings(task: Task, folder: Path | None) -> dict[str, Any]:
    """Return what changes in a task's settings: files of a folder take the place of its rows, and no row shows its own answer."""
    files = files_of(task, folder) if folder else None
    splits = splits_of(task, files)
    changed: dict[str, Any] = {}
    if files is not None:
        changed = {field: None for field in (*_FIELDS, "fewshot_split") if task.settings.get(field) not in files}
        changed["dataset_kwargs"] = {"files": {split: str(path) for split, path in files.items()}}
    if splits.examples and splits.examples == splits.measured:
        # Only if both fields name one split does lm-eval leave the measured row out of its own examples.
        changed |= {"fewshot_split": splits.measured, "test_split": splits.measured}
    return changed


def files_of(task: Task, folder: Path) -> dict[str, Path]:
    """Return the file of each split of a task that a folder has."""
    files = {split: [folder / f"{split}{ending}" for ending in FORMATS] for split in splits_of(task).named}
    return {split: there[0] for split, paths in files.items() if (there := [path for path in paths if path.is_file()])}


def folder_of(benchmark: Benchmark, task: Task, folder: Path) -> Path:
    """Return the folder of one task's files: of a group, each of its tasks has its own within the given one."""
    return folder if isinstance(benchmark, Task) else folder / task.name


def file_faults(benchmark: Benchmark, folder: Path, uri: str) -> Iterator[str]:
    """Yield what the files of a benchmark lack."""
    if not folder.is_dir():
        yield f"{uri} is not a folder on the workspace volume; name the folder with a file for each split, such as test.jsonl"
        return
    missing = [task.name for task in benchmark.tasks if not folder_of(benchmark, task, folder).is_dir()]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        yield f"{uri} needs a folder for each task of {benchmark.name}, and has none for {shown}; add them"
        return
    for task in benchmark.tasks:
        place = uri.rstrip("/") if isinstance(benchmark, Task) else f"{uri.rstrip('/')}/{task.name}"
        yield from _task_faults(task, folder_of(benchmark, task, folder), place)


def _task_faults(task: Task, folder: Path, place: str) -> Iterator[str]:
    files = files_of(task, folder)
    splits = splits_of(task, files)
    if not splits.measured:
        named = " or ".join(f"{split}.jsonl" for field in _MEASURED if (split := task.settings.get(field)))
        yield f"{place} has no rows to measure; add {named} with the columns of {task.name}"
    elif splits.examples and splits.examples not in files:
        yield (
            f"{place} has no {splits.examples}.jsonl, from which {task.name} takes its {task.few_shot} worked examples; "
            f"add it, or set fewShot to 0"
        )


def _examples_split(settings: Mapping[str, Any]) -> str | None:
    own = settings.get("fewshot_config")
    return (own.get("split") if isinstance(own, dict) else None) or settings.get("fewshot_split")


def _brings_examples(settings: Mapping[str, Any]) -> bool:
    own = settings.get("fewshot_config")
    return isinstance(own, dict) and own.get("samples") is not None
