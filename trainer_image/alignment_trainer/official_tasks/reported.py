"""Which figures a benchmark reports: those of its tasks, the means of its groups, and which of them tables show."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from alignment_api.results.evaluation import Better

from alignment_trainer.official_tasks.members import LEADERBOARD, Benchmark, Group, Task
from alignment_trainer.official_tasks.metrics import Kind, main_metric, metric_named, scored_names

AVERAGE = "average"


class Reported(NamedTuple):
    """One figure of a benchmark."""

    name: str
    """Also the name of its values in the rows' scores, but for an average."""
    better: Better
    kind: Kind | Literal["Average"]
    is_main: bool
    metric: str
    """What it is a figure of, without the names of tasks, groups and ways to read an answer."""
    tasks: tuple[str, ...]
    """Whose rows it is made of."""
    averaged: tuple[str, ...] = ()
    """Of an average: the figures that it is the mean of."""


def reported(benchmark: Benchmark) -> list[Reported]:
    """Return the figures of a benchmark, the average of its tasks first."""
    main = _main_names(benchmark)
    found: dict[str, Reported] = {one.name: one for one in _averages(benchmark)}
    for task in benchmark.tasks:
        for scored in scored_names(task):
            metric = metric_named(task, scored)
            for name in names_in(benchmark, task, scored):
                earlier = found[name].tasks if name in found else ()
                found[name] = Reported(name, metric.better, metric.kind, name in main, metric.name, (*earlier, task.name))
    return [one for one in found.values() if one.kind != "Combined"]


def names_in(benchmark: Benchmark, task: Task, scored: str) -> list[str]:
    """Return under which names a task's metric counts in a benchmark: its own, and those of the groups that it is in."""
    if isinstance(benchmark, Task):
        return [scored]
    groups = [group for group in _around(benchmark, task) if _pools(group, scored)]
    return [f"{task.name}.{scored}", *(_in_group(benchmark, group, scored) for group in groups)]


def _averages(benchmark: Benchmark) -> Iterator[Reported]:
    """Yield the mean that counts each task, and not each row, the same."""
    tasks = tuple(task.name for task in benchmark.tasks)
    if isinstance(benchmark, Task):
        return
    if benchmark.name == LEADERBOARD:
        yield Reported(AVERAGE, "Higher", "Average", True, AVERAGE, tasks, tuple(map(_main_name, benchmark.members)))
    elif benchmark.mean_of and not benchmark.is_weighted:
        scored = _mean_name(benchmark)
        having = [task for task in benchmark.tasks if scored in scored_names(task)]
        if scored and having:
            metric, names = metric_named(having[0], scored), tuple(task.name for task in having)
            averaged = tuple(f"{name}.{scored}" for name in names)
            yield Reported(scored, metric.better, "Average", True, metric.name, names, averaged)


def _main_names(benchmark: Benchmark) -> set[str]:
    if isinstance(benchmark, Task):
        return {main_metric(benchmark)}
    if benchmark.name == LEADERBOARD:
        return set(map(_main_name, benchmark.members))
    mean = _mean_name(benchmark)
    if mean:
        return {mean}
    return {f"{task.name}.{main_metric(task)}" for task in benchmark.tasks}


def _main_name(member: Benchmark) -> str:
    """Return the figure that stands for a member in its group."""
    return f"{member.name}.{main_metric(member) if isinstance(member, Task) else _mean_name(member)}"


def _mean_name(group: Group) -> str | None:
    """Return the metric of a group's mean, as its tasks' rows name it; None if no task has it."""
    names = (name for task in group.tasks for name in scored_names(task))
    return next((name for name in names if name.partition(".")[0] == group.mean_of), None)


def _around(group: Group, task: Task) -> Iterator[Group]:
    """Yield the groups that a task is in, the outermost first."""
    if task in group.tasks:
        yield group
        for member in group.members:
            if isinstance(member, Group):
                yield from _around(member, task)


def _pools(group: Group, scored: str) -> bool:
    return group.is_weighted and group.mean_of == scored.partition(".")[0]


def _in_group(benchmark: Benchmark, group: Group, scored: str) -> str:
    return scored if group is benchmark else f"{group.name}.{scored}"
