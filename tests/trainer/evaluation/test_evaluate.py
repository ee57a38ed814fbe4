"""An evaluate stage as a whole: one table of several models, the same on any number of processes."""

import json
from collections import Counter
from pathlib import Path

import pytest
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from evaluated_jobs import copy_models, exam_config, task, write_rows

QUIZ = [{"question": f"What is {n} + 1?", "choices": [str(n), str(n + 1), str(n + 2)], "answer": 1} for n in range(9)]
TALK = [{"question": f"What is {n} + 1?", "answer": f"It is {n + 1}."} for n in range(5)]
TASKS = [task("quiz", "MultipleChoice"), task("talk", "References")]


@pytest.fixture
def config(workspace, tmp_path):
    """Return a stage that measures two models in two tasks."""

    def configured(tasks=TASKS, **settings):
        if not (tmp_path / "inputs").exists():
            copy_models(workspace, tmp_path)
        write_rows(tmp_path, "quiz", QUIZ)
        write_rows(tmp_path, "talk", TALK)
        return exam_config(tmp_path, tasks, **settings)

    return configured


def report(config):
    return EvaluationReport.parse_stored(json.loads((Path(config.paths.stage) / "report.json").read_text()))


def rows(config, name, model):
    path = Path(config.paths.stage) / "rows" / name / f"{model}.jsonl"
    return [EvaluatedRow.parse_stored(json.loads(line)) for line in path.read_text().splitlines()]


def test_all_models_are_measured_in_all_tasks(config, tmp_path, trainer):
    asked = config()
    result = trainer.train(asked, tmp_path)
    assert result.code == 0, result.output
    found = report(asked)
    assert [model.name for model in found.models] == ["base", "sft"]
    assert [(each.name, each.measure, each.rows) for each in found.tasks] == [
        ("quiz", "MultipleChoice", 9),
        ("talk", "References", 5),
    ]
    assert Counter((score.task, score.metric) for score in found.scores) == {
        ("quiz", "accuracy"): 2,
        ("quiz", "accuracy_normalized"): 2,
        **{("talk", metric): 2 for metric in ("bleu", "rouge_1", "rouge_2", "rouge_l")},
    }
    # The second model has the weights of the first one.
    assert {(each.model, each.against, each.estimate.value) for each in found.differences} == {("sft", "base", 0.0)}
    assert found.tasks[1].settings["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert [row.row for row in rows(asked, "quiz", "sft")] == [f"quiz.jsonl:{number}" for number in range(1, 10)]
    mean = sum(row.scores["accuracy"] for row in rows(asked, "quiz", "base")) / 9
    stage = Path(asked.paths.stage)
    assert trainer.values(stage, "evaluated/quiz/accuracy/base") == {28: pytest.approx(mean)}
    assert json.loads((stage / "manifest.json").read_text())["rows"] == {"quiz": 9, "talk": 5}
    assert (stage / "DONE").exists() and not (stage / "measured").exists()
