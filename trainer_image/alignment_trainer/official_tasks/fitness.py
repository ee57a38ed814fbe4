"""Whether this trainer can run a benchmark: what its tasks need beyond a model that reads and writes text."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alignment_trainer.official_tasks.members import Benchmark, Group, Task
from alignment_trainer.official_tasks.metrics import metrics_of
from alignment_trainer.official_tasks.packaged import Function

_HUMAN_EVAL = "humaneval"


def benchmark_faults(benchmark: Benchmark, few_shot: int | None) -> Iterator[str]:
    """Yield why a benchmark cannot be run as the job sets it; `benchmark` is as lm-eval has it."""
    for task in benchmark.tasks:
        fault = next(_task_faults(task), None)
        if fault:
            within = "" if isinstance(benchmark, Task) else f" of {benchmark.name}"
            yield f"{task.name}{within} {fault}"
    if few_shot is not None:
        yield from _few_shot_faults(benchmark)


def _few_shot_faults(benchmark: Benchmark) -> Iterator[str]:
    if isinstance(benchmark, Group) and any("num_fewshot" in task.set_by_group for task in benchmark.tasks):
        yield f"{benchmark.name} sets the number of examples of each of its tasks; remove fewShot"
    elif fixed := [task.name for task in benchmark.tasks if task.settings.get("num_fewshot") == 0]:
        yield f"{fixed[0]} is asked without examples, or has its own in the question; remove fewShot"


def _task_faults(task: Task) -> Iterator[str]:
    settings = task.settings
    if settings.get("unsafe_code"):
        instead = "use measure: HumanEval, which runs them with limits" if _HUMAN_EVAL in task.name else "choose another task"
        yield f"runs programs that the model writes, without limits; {instead}"
    if "class" in settings:
        yield "is a Python class of its own, which this version cannot run; choose another task"
    if settings.get("doc_to_image") or settings.get("doc_to_audio"):
        yield "shows pictures or sounds, which this version's models cannot read; choose another task"
    if any(named.get("hf_evaluate") for named in settings.get("metric_list") or ()):
        yield "downloads the program of its metric from the Hub, which this version refuses; choose another task"
    yield from _module_faults(settings)
    if all(metric.kind == "Combined" for metric in metrics_of(task)):
        yield "has only metrics that say nothing about a single row, which this version cannot compare; choose another task"


def _module_faults(settings: dict[str, Any]) -> Iterator[str]:
    modules = {function.module for function in _functions(settings) if isinstance(function.module, Path)}
    for module in sorted(modules):
        tree = ast.parse(module.read_text())
        missing = sorted({name for name in _imported(tree) if not _is_there(name, module)})
        if missing:
            yield f"needs the Python package {missing[0]}, which is not installed; add it to the image, or choose another task"
        if any(_loads_metric(node) for node in ast.walk(tree)):
            yield "downloads the program of its metric from the Hub, which this version refuses; choose another task"


def _functions(settings: object) -> Iterator[Function]:
    if isinstance(settings, Function):
        yield settings
    elif isinstance(settings, dict):
        for value in settings.values():
            yield from _functions(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _functions(value)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the packages that a module imports as it is loaded, but for those whose absence it handles."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _is_there(name: str, module: Path) -> bool:
    return (module.parent / f"{name}.py").exists() or find_spec(name) is not None


def _loads_metric(node: ast.AST) -> bool:
    """Return whether code calls `evaluate.load`, which fetches a program from the Hub."""
    called = node.func if isinstance(node, ast.Call) else None
    return (
        isinstance(called, ast.Attribute)
        and called.attr == "load"
        and getattr(called.value, "id", "") in ("evaluate", "hf_evaluate")
    )
