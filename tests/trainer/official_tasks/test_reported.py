"""Which figures a benchmark reports."""

import pytest
from alignment_trainer.official_tasks.members import Group, Task, benchmark_of
from alignment_trainer.official_tasks.reported import reported


def task(name, *metrics):
    return Task(name, benchmark_of("arc_easy").file, {"metric_list": [{"metric": metric} for metric in metrics]})


@pytest.mark.parametrize(
    ("tasks", "is_weighted", "main"),
    [
        ([task("one", "acc"), task("two", "acc")], True, ["acc"]),
        ([task("one", "f2"), task("two", "acc")], True, ["acc"]),
        ([task("one", "f2"), task("two", "acc")], False, ["acc"]),
        ([task("one", "f2"), task("two", "f3")], True, ["one.f2", "two.f3"]),
        ([task("one", "f2"), task("two", "f3")], False, ["one.f2", "two.f3"]),
    ],
    ids=["of all tasks", "of the second task", "of the second task, each task alike", "of no task", "of no task, each alike"],
)
def test_a_group_has_a_mean_if_any_of_its_tasks_has_the_metric(tasks, is_weighted, main):
    group = Group("both", tuple(tasks), "acc", is_weighted, "")
    assert [figure.name for figure in reported(group) if figure.is_main] == main


def test_an_average_is_of_the_tasks_that_have_the_metric():
    group = Group("both", (task("one", "f2"), task("two", "acc")), "acc", False, "")
    assert [figure.averaged for figure in reported(group) if figure.kind == "Average"] == [("two.acc",)]


def test_a_packaged_group_whose_mean_none_of_its_tasks_has_is_reported_by_task():
    assert [figure.name for figure in reported(benchmark_of("code2text")) if figure.is_main]
