"""An evaluate stage as a whole: one table of several models, the same on any number of processes."""

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from alignment_api.journal import read_points
from alignment_api.metrics import SECONDS_LEFT, STEP
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from evaluated_jobs import copy_models, exam_config, task, write_rows

QUIZ = [{"question": f"What is {n} + 1?", "choices": [str(n), str(n + 1), str(n + 2)], "answer": 1} for n in range(40)]
TALK = [{"question": f"What is {n} + 1?", "answer": f"It is {n + 1}."} for n in range(24)]
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
        ("quiz", "MultipleChoice", 40),
        ("talk", "References", 24),
    ]
    assert Counter((score.task, score.metric) for score in found.scores) == {
        ("quiz", "accuracy"): 2,
        ("quiz", "accuracy_normalized"): 2,
        **{("talk", metric): 2 for metric in ("bleu", "rouge_1", "rouge_2", "rouge_l")},
    }
    assert {(each.model, each.against) for each in found.differences} == {("sft", "base")}
    assert found.tasks[1].settings["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert [row.row for row in rows(asked, "quiz", "sft")] == [f"quiz.jsonl:{number}" for number in range(1, 41)]
    mean = sum(row.scores["accuracy"] for row in rows(asked, "quiz", "base")) / 40
    stage = Path(asked.paths.stage)
    assert trainer.values(stage, "evaluated/quiz/accuracy/base") == {128: pytest.approx(mean)}
    assert json.loads((stage / "manifest.json").read_text())["rows"] == {"quiz": 40, "talk": 24}
    samples = [json.loads(line) for line in (stage / "samples.jsonl").read_text().splitlines()]
    assert [sample["step"] for sample in samples] == [64] * 8 + [128] * 8
    assert (stage / "DONE").exists() and not (stage / "measured").exists()


def test_each_of_two_models_has_the_scores_and_answers_that_it_has_alone(config, tmp_path, trainer):
    models = {"base": {"base": True}, "sft": {"stage": "sft"}}

    def measured(*names):
        """Return the scores, choices and answers of models that are measured in one stage."""
        asked = config(models=[models[name] for name in names])
        result = trainer.train(asked, tmp_path)
        assert result.code == 0, result.output
        scores = report(asked).scores
        found = {
            name: (
                {(score.task, score.metric): score.estimate for score in scores if score.model == name},
                *([(row.answer, row.scores) for row in rows(asked, task, name)] for task in ("quiz", "talk")),
            )
            for name in names
        }
        shutil.rmtree(asked.paths.stage)
        shutil.rmtree(tmp_path / "job/evaluated-answers")
        return found

    both = measured("base", "sft")
    assert both == {**measured("base"), **measured("sft")}
    (scores, *of_base), (others, *of_sft) = both["base"], both["sft"]
    assert scores["quiz", "accuracy"].value != others["quiz", "accuracy"].value
    # Of the quiz, a choice and whether it is right; of the talk, an answer.
    for one, other in zip(of_base, of_sft, strict=True):
        assert sum(first != second for first, second in zip(one, other, strict=True)) > len(one) / 4


COUNTING = """
import json, os
from alignment_trainer.evaluation import likelihood
from alignment_trainer.synthesis import student

def counted(module, name, rows_of):
    original = getattr(module, name)

    def called(*given):
        with open(f"{FOLDER}/calls-{os.environ['RANK']}.jsonl", "a") as file:
            file.write(json.dumps({"call": name, "rows": len(rows_of(given))}) + "\\n")
        return original(*given)

    setattr(module, name, called)

counted(likelihood, "log_probabilities", lambda given: given[1])
counted(student, "answers_at_once", lambda given: given[1])
"""
"""Writes down each call of a model, in a file of its rank."""


def calls(folder):
    """Return for each rank how many texts its models read in which calls."""
    found = {}
    for file in sorted(folder.glob("calls-*.jsonl")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        found[file.stem] = Counter()
        for line in lines:
            found[file.stem][line["call"]] += line["rows"]
    return found


def counting(folder):
    folder.mkdir()
    return COUNTING.replace("{FOLDER}", str(folder))


@pytest.mark.parametrize(("processes", "nodes"), [(2, 1), (1, 2)])
def test_each_row_is_measured_once_on_any_number_of_processes(config, tmp_path, trainer, processes, nodes):
    """Both ranks have LOCAL_RANK 0 on two nodes: what is dealt by it is measured twice, or never."""
    tables, called = {}, {}
    for name, world in (("one", (1, 1)), ("more", (processes, nodes))):
        asked = config(processes=world[0], nodes=world[1])
        result = trainer.train(asked, tmp_path, nodes=world[1], before=counting(tmp_path / name))
        assert result.code == 0, result.output
        tables[name] = report(asked), [rows(asked, *each) for each in (("quiz", "base"), ("talk", "sft"))]
        called[name] = calls(tmp_path / name)
        shutil.rmtree(asked.paths.stage)
        shutil.rmtree(tmp_path / "job/evaluated-answers")
    assert tables["more"] == tables["one"]
    # Two models; of the quiz, each row has three options.
    assert called["one"] == {"calls-0": {"log_probabilities": 2 * 3 * len(QUIZ), "answers_at_once": 2 * len(TALK)}}
    first, second = called["more"]["calls-0"], called["more"]["calls-1"]
    assert first + second == called["one"]["calls-0"]
    assert min(first["log_probabilities"], second["log_probabilities"]) >= 2 * 3 * 16
    assert min(first["answers_at_once"], second["answers_at_once"]) >= 2 * 8


def test_another_stage_with_the_same_questions_generates_nothing(config, tmp_path, trainer):
    first = config(tasks=TASKS[1:])
    assert trainer.train(first, tmp_path).code == 0
    shutil.move(first.paths.stage, tmp_path / "job/before")
    other = config(tasks=[{**TASKS[1], "name": "other"}])
    assert trainer.train(other, tmp_path, before=counting(tmp_path / "counted")).code == 0
    assert calls(tmp_path / "counted") == {}
    found = [row.answer for row in rows(other, "other", "sft")]
    texts = (tmp_path / "job/before/rows/talk/sft.jsonl").read_text().splitlines()
    assert found == [json.loads(text)["answer"] for text in texts] and len(found) == len(TALK)


def measured_rows(stage):
    """Return how often each row of each model is written in the files of a stage that was killed."""
    files = stage.glob("measured/*/*/process-*.jsonl")
    lines = [(file.parent, line) for file in files for line in file.read_text().splitlines(keepends=True)]
    return Counter((folder, json.loads(line)["row"]) for folder, line in lines if line.endswith("\n"))


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_stage_measures_no_finished_row_again(config, tmp_path, trainer, signal_number):
    slow = COUNTING.replace("return original", "import time; time.sleep(0.3); return original")
    asked = config(processes=2)
    stage, killed = Path(asked.paths.stage), []

    def kill(processes):
        # A second SIGTERM ends a process before it has said what it keeps.
        if not killed and len(measured_rows(stage)) > len(QUIZ):
            killed.extend(processes)
            for process in processes:
                os.kill(process, signal_number)

    (tmp_path / "first").mkdir()
    result = trainer.train(asked, tmp_path, kill, before=slow.replace("{FOLDER}", str(tmp_path / "first")))
    assert result.code != 0
    if signal_number == signal.SIGTERM:
        assert "all rows measured so far are kept" in result.output + result.termination.message
    known = measured_rows(stage)
    assert len(QUIZ) < len(known) < 2 * len(QUIZ) and set(known.values()) == {1}
    answered = len(list(stage.glob("measured/talk/*/.all"))) * len(TALK) // 2
    before = sum(1 for _ in read_points(stage / "metrics.jsonl"))
    result = trainer.train(asked, tmp_path, before=counting(tmp_path / "second"))
    assert result.code == 0, result.output
    begun = list(read_points(stage / "metrics.jsonl"))[before]
    assert begun.newest[STEP] == len(known) + answered and SECONDS_LEFT not in begun.newest, (
        "it begins with the rows that are kept"
    )
    read = sum((each for each in calls(tmp_path / "second").values()), Counter())
    assert read["log_probabilities"] == 3 * (2 * len(QUIZ) - len(known))
    assert [len(rows(asked, "quiz", name)) for name in ("base", "sft")] == [len(QUIZ)] * 2


def test_rows_that_were_changed_between_two_attempts_are_measured_again(config, tmp_path, trainer):
    asked = config(tasks=TASKS[:1], models=[{"base": True}], maximumFailedShare=0)
    long = {"question": "word " * 3000, "choices": ["a", "b"], "answer": 0}
    write_rows(tmp_path, "quiz", [*QUIZ[:3], long])
    failed = trainer.train(asked, tmp_path)
    assert failed.termination.reason == "UnusableAnswers"
    assert failed.termination.message.startswith(
        "spec.stages[1].evaluate.tasks[0]: 1 of 4 rows of base could not be measured (1 it has "
    )
    assert len(rows(asked, "quiz", "base")) == 4 and not (Path(asked.paths.stage) / "DONE").exists()
    write_rows(tmp_path, "quiz", QUIZ[:4])
    assert trainer.train(asked, tmp_path, before=counting(tmp_path / "again")).code == 0
    assert calls(tmp_path / "again") == {"calls-0": {"log_probabilities": 3 * 4}}


def test_what_a_later_task_lacks_ends_the_stage_before_a_model_is_called(config, tmp_path, trainer):
    write_rows(tmp_path, "texts", [{"text": "a"}])
    write_rows(tmp_path, "more", [{"text": "."}])
    asked = config(tasks=[*TASKS, task("texts", "Perplexity"), task("more", "Perplexity", window=64)])
    result = trainer.train(asked, tmp_path, before=counting(tmp_path / "counted"))
    assert result.termination.reason == "BadConfiguration"
    assert [line.partition(", more")[0] for line in result.termination.message.splitlines()] == [
        f"spec.stages[1].evaluate.tasks[{at}].dataset: in 1 of 1 rows no token is predicted, such as {name}.jsonl:1"
        for at, name in ((2, "texts"), (3, "more"))
    ]
    assert calls(tmp_path / "counted") == {}


def test_failed_rows_are_counted_and_never_0(config, tmp_path, trainer):
    asked = config(tasks=TASKS[:1], models=[{"base": True}], maximumFailedShare=0.25)
    long = {"question": "word " * 3000, "choices": ["a", "b"], "answer": 0}
    write_rows(tmp_path, "quiz", [*QUIZ[:3], long])
    result = trainer.train(asked, tmp_path)
    assert result.code == 0, result.output
    found = {score.metric: score.estimate for score in report(asked).scores}["accuracy"]
    known = [row.scores["accuracy"] for row in rows(asked, "quiz", "base")]
    assert known[3] is None
    assert (found.value, found.count, found.failed) == (pytest.approx(sum(known[:3]) / 3), 3, 1)
