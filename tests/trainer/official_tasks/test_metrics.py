"""Which metrics a task has, which way is better, and which stands for the task."""

import pytest
from alignment_trainer.official_tasks.members import Task, benchmark_of
from alignment_trainer.official_tasks.metrics import Metric, main_metric, metric_named, metrics_of, scored_as


def task(name):
    found = benchmark_of(name)
    assert isinstance(found, Task)
    return found


@pytest.mark.parametrize(
    ("name", "main"),
    [
        ("arc_challenge", "acc_norm"),
        ("hellaswag", "acc_norm"),
        ("mmlu_anatomy", "acc"),
        ("winogrande", "acc"),
        ("truthfulqa_mc2", "acc"),
        ("gsm8k", "exact_match.strict-match"),
        ("wikitext", "word_perplexity"),
    ],
)
def test_the_metric_that_stands_for_a_task(name, main):
    assert main_metric(task(name)) == main


def test_perplexities_are_better_when_lower():
    assert metrics_of(task("wikitext")) == [
        Metric("word_perplexity", "Perplexity", "Lower"),
        Metric("byte_perplexity", "Perplexity", "Lower"),
        Metric("bits_per_byte", "Bits", "Lower"),
    ]


def test_metrics_that_say_nothing_about_one_row_are_known():
    kinds = {metric.name: metric.kind for metric in metrics_of(task("ifeval"))}
    assert kinds["prompt_level_strict_acc"] == "Mean"
    assert kinds["inst_level_strict_acc"] == "Combined"


@pytest.mark.parametrize(
    ("scored", "found"),
    [
        ("exact_match.flexible-extract", Metric("exact_match", "Mean", "Higher")),
        ("its_own", Metric("its_own", "Mean", "Higher")),
    ],
)
def test_a_name_in_the_rows_leads_to_its_metric(scored, found):
    assert metric_named(task("gsm8k"), scored) == found


def test_a_filter_is_part_of_the_name():
    assert scored_as("acc", "none") == "acc"
    assert scored_as("exact_match", "strict-match") == "exact_match.strict-match"
