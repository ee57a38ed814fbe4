"""Rows that are not there, or not as a benchmark reads them, end the stage with a sentence that says what to do."""

import json

import pytest
from alignment_trainer.failures import BadData
from alignment_trainer.official_tasks.members import benchmark_of
from benchmark_rows import write_benchmark
from evaluated_jobs import exam_config

PATH = "spec.stages[1].evaluate.tasks[0]"


def opened(name, folder, few_shot=None):
    from alignment_trainer.evaluation.benchmarks.loading import load_tasks
    from alignment_trainer.evaluation.benchmarks.questions import questions_of, requests_of

    (task,) = load_tasks(benchmark_of(name, few_shot), folder, PATH).values()
    return [requests_of(question) for question in questions_of(task, None, PATH)]


def test_without_the_hub_it_is_said_where_to_put_the_rows(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadData) as refused:
        opened("arc_challenge", None)
    assert str(refused.value).startswith(f"{PATH}: the rows of arc_challenge cannot be loaded from the Hub (")
    assert str(refused.value).endswith("a file for each split such as test.jsonl, and name the folder in dataset")


@pytest.mark.parametrize(("name", "column"), [("arc_challenge", "question"), ("hellaswag", "ctx_a")])
def test_missing_columns_are_named(tmp_path, name, column):
    for file in write_benchmark(tmp_path / name, name).iterdir():
        file.write_text('{"other": "column"}\n')
    with pytest.raises(BadData, match=f"its rows lack what {name} reads .*{column}.*; give them the columns of the Hub's rows"):
        opened(name, tmp_path / name)


def test_a_single_broken_row_is_named(tmp_path):
    file = write_benchmark(tmp_path / "arc", "arc_challenge") / "test.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2]["answerKey"] = "none of them"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadData, match="row 3 of arc_challenge or one of its examples lacks what the task reads"):
        opened("arc_challenge", tmp_path / "arc")


def test_all_rows_and_examples_are_looked_at_before_a_model_is_loaded(tmp_path):
    from alignment_trainer.evaluation.tasks import open_tasks

    for name, split in (("rows", "test"), ("examples", "train")):
        file = write_benchmark(tmp_path / name, "arc_challenge") / f"{split}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        rows[2]["choices"] = rows[4]["choices"] = {"text": ["a"], "label": ["A"]}
        rows[2]["answerKey"] = rows[4]["answerKey"] = "none of them"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_benchmark(tmp_path / "whole", "arc_challenge")
    tasks = [
        {"name": name, "benchmark": "arc_challenge", "fewShot": 3, "dataset": {"uri": f"workspace://{name}"}}
        for name in ("rows", "whole", "examples")
    ]
    with pytest.raises(BadData) as refused:
        open_tasks(exam_config(tmp_path, tasks))
    of_rows, of_examples = str(refused.value).splitlines()
    assert of_rows.startswith("spec.stages[1].evaluate.tasks[0].dataset: row 3 of arc_challenge lacks what the task reads (")
    assert of_rows.endswith("; correct it (and 1 more)")
    assert of_examples.startswith("spec.stages[1].evaluate.tasks[2].dataset: the worked example {'id': 'made-")


def test_more_examples_than_rows_are_refused(tmp_path):
    write_benchmark(tmp_path / "arc", "arc_challenge")
    with pytest.raises(BadData, match="arc_challenge shows 31 worked examples, and its rows have only 30"):
        opened("arc_challenge", tmp_path / "arc", few_shot=31)
