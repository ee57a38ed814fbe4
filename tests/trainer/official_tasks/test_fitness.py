"""Benchmarks that this trainer cannot run are refused before a GPU is used, with a sentence that says what to do."""

import pytest
from alignment_trainer.official_tasks import fitness
from alignment_trainer.official_tasks.fitness import benchmark_faults
from alignment_trainer.official_tasks.members import benchmark_of


@pytest.mark.parametrize(
    ("name", "few_shot", "sentence"),
    [
        ("humaneval", None, "humaneval runs programs that the model writes, without limits; use measure: HumanEval"),
        ("mbpp", None, "mbpp runs programs that the model writes, without limits; choose another task"),
        ("squadv2", None, "squadv2 is a Python class of its own"),
        ("mmmu_val", None, "mmmu_val_art of mmmu_val shows pictures or sounds"),
        ("openllm", 5, "openllm sets the number of examples of each of its tasks; remove fewShot"),
        ("truthfulqa_mc2", 5, "truthfulqa_mc2 is asked without examples, or has its own in the question; remove fewShot"),
    ],
)
def test_a_benchmark_that_cannot_run_is_refused(name, few_shot, sentence):
    assert next(benchmark_faults(benchmark_of(name), few_shot)).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "few_shot"), [("openllm", None), ("arc_challenge", 25), ("mmlu", 5), ("gsm8k", 8), ("wikitext", None)]
)
def test_the_leaderboard_and_its_tasks_can_run(name, few_shot):
    assert not list(benchmark_faults(benchmark_of(name), few_shot))


def test_a_task_whose_package_is_absent_is_refused(monkeypatch):
    found = fitness.find_spec
    monkeypatch.setattr(fitness, "find_spec", lambda name: None if name == "rouge_score" else found(name))
    (fault,) = benchmark_faults(benchmark_of("truthfulqa_mc2"), None)
    assert fault.startswith("truthfulqa_mc2 needs the Python package rouge_score, which is not installed")


def test_a_task_that_downloads_its_metric_is_refused(monkeypatch, tmp_path):
    module = tmp_path / "utils.py"
    module.write_text("import json\n\ndef score(row):\n    return evaluate.load('f1').compute(row)\n")
    settings = {"doc_to_text": fitness.Function(module, "score")}
    assert list(fitness._module_faults(settings)) == [
        "downloads the program of its metric from the Hub, which this version refuses; choose another task"
    ]
