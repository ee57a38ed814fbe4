"""Of which tasks a benchmark consists, how many examples each shows, and what a group's mean is made of."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignment_trainer.official_tasks.packaged import Unknown, file_of, is_named, read, tagged

LEADERBOARD = "openllm"
_COUNTED = {"truthfulqa": "truthfulqa_mc2"}
"""Of these tags the leaderboard counts one task; lm-eval's group runs all of them."""


@dataclass(frozen=True)
class Task:
    """One task of lm-eval."""

    name: str
    file: Path
    set_by_group: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the official settings, as the group changes them."""
        return {**read(self.file), **self.set_by_group}

    @property
    def version(self) -> str:
        """Return the version of the task's prompts and scores."""
        return _version(self.settings)

    @property
    def few_shot(self) -> int:
        """Return how many worked examples stand before each question."""
        return int(self.settings.get("num_fewshot") or 0)

    @property
    def tasks(self) -> tuple["Task", ...]:
        """Return the task itself, as a group returns its own."""
        return (self,)


@dataclass(frozen=True)
class Group:
    """Several tasks that are reported together."""

    name: str
    members: "tuple[Task | Group, ...]"
    mean_of: str | None
    """The metric whose mean is the group's; of the leaderboard, each member's main one."""
    is_weighted: bool
    """Whether each row counts the same, not each task."""
    version: str

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return all tasks, also those of groups within it."""
        return tuple(task for member in self.members for task in member.tasks)


Benchmark = Task | Group


def benchmark_of(name: str, few_shot: int | None = None) -> Benchmark:
    """Return a task, a group, or the tasks of a tag; raise Unknown if lm-eval has none of that name."""
    given = {} if few_shot is None else {"num_fewshot": few_shot}
    (member,) = _named(name, {}, given)
    return member


def _named(name: str, set_by_group: dict[str, Any], given: dict[str, Any]) -> Iterator[Benchmark]:
    members = () if is_named(name) else tagged(name)
    if members:
        yield Group(name, tuple(_task(member, set_by_group, given) for member in members), None, False, "")
        return
    path = file_of(name)
    settings = read(path)
    if "group" not in settings:
        yield _task(name, set_by_group, given)
        return
    means = settings.get("aggregate_metric_list") or [{}]
    # Groups with one mean may write it without a list.
    mean = means if isinstance(means, dict) else means[0]
    yield Group(
        name,
        tuple(_members(settings, set_by_group, given)),
        mean.get("metric"),
        bool(mean.get("weight_by_size", True)),
        _version(settings),
    )


def _members(settings: dict[str, Any], set_by_group: dict[str, Any], given: dict[str, Any]) -> Iterator[Benchmark]:
    is_leaderboard = settings["group"] == LEADERBOARD
    for member in settings["task"]:
        name, own = (member, {}) if isinstance(member, str) else _written_out(settings["group"], member)
        if is_leaderboard:
            name = _COUNTED.get(name, name)
        yield from _named(name, {**set_by_group, **own}, given)


def _written_out(group: str, member: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    own = {key: value for key, value in member.items() if key not in ("task", "group")}
    name = member.get("group") or member.get("task")
    if not isinstance(name, str) or ("group" in member and "task" in member):
        raise Unknown(f"the group {group} of lm-eval defines tasks within itself, which this version cannot run; name its tasks")
    return name, own


def _task(name: str, set_by_group: dict[str, Any], given: dict[str, Any]) -> Task:
    return Task(name, file_of(name), {**set_by_group, **given})


def _version(settings: dict[str, Any]) -> str:
    metadata = settings.get("metadata")
    return str(metadata.get("version", "")) if isinstance(metadata, dict) else ""
