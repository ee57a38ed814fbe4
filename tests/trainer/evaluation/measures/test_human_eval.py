"""HumanEval: the answers of known models, and what of a real small one becomes a row."""

import re
from dataclasses import replace

import pytest
from alignment_trainer.data.tasks.problems import read_problem
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.evaluation.estimates import estimated
from alignment_trainer.evaluation.measures.human_eval import MEASURE, judged
from alignment_trainer.evaluation.tasks import TaskRow, open_tasks
from alignment_trainer.failures import BadConfiguration
from evaluated_jobs import exam_config, task
from programming_problems import PROBLEMS

pytestmark = pytest.mark.usefixtures("confined")

ANSWER = Answer("", "stop", prompt_tokens=9, answer_tokens=5)
ROWS = [TaskRow(row["task_id"], read_problem(row)) for row in PROBLEMS]

MODELS = {
    "the authors": (lambda problem: problem.solution, 1.0),
    "nothing": (lambda problem: "    pass\n", 0.0),
    "an early end": (lambda problem: "    import os\n    os._exit(0)\n", 0.0),
    "a right answer for some": (lambda problem: "    return 2 * value\n", 0.5),
}


@pytest.mark.parametrize(("write", "wanted"), MODELS.values(), ids=MODELS)
def test_the_share_of_problems_that_are_solved(write, wanted):
    rows = [judged(row, replace(ANSWER, text=write(row.value)), True) for row in ROWS]
    (metric,) = MEASURE.metrics(None)
    found = estimated(metric, rows)
    assert (metric.name, found.value, found.count) == ("pass_at_1", wanted, 2)
    assert found.low is not None and found.high is not None and found.low < found.high


def test_a_problem_that_was_not_answered_is_no_wrong_one():
    row = judged(ROWS[0], Unanswered("UnreadablePrompt", "the model cannot read it"), True)
    assert (row.scores, row.reason) == ({"pass_at_1": None}, "the model cannot read it")


def test_a_reply_is_searched_for_its_code():
    row = judged(
        ROWS[0], replace(ANSWER, text="```python\ndef double(value):\n    return value + value\n```", finish="length"), False
    )
    assert row.scores == {"pass_at_1": 1}
    assert (row.details["asked"], row.details["cut"]) == ("dialogue", True)


def test_a_failed_program_says_why():
    row = judged(ROWS[0], replace(ANSWER, text="    return unknown"), True)
    assert (row.scores, row.reason) == ({"pass_at_1": 0}, "NameError: name 'unknown' is not defined")


@pytest.mark.parametrize(
    ("text", "continues", "cut"),
    [
        ("    return 2 * value\n\n\ndef other():\n    ret", True, False),
        ("    return 2 * value + ", True, True),
        ("```python\ndef double(value):\n    return 2\nif ", False, True),
    ],
)
def test_an_answer_is_cut_only_if_its_function_is(text, continues, cut):
    row = judged(ROWS[0], replace(ANSWER, text=text, finish="length"), continues)
    assert row.details["cut"] is cut


def test_no_program_runs_where_it_cannot_be_confined(exam, monkeypatch, tmp_path):
    monkeypatch.setattr("alignment_trainer.evaluation.measures.human_eval.fault", lambda: "a program can start processes")
    monkeypatch.setattr("alignment_trainer.evaluation.measures.human_eval.tried", None)
    sentence = r"tasks\[0\]: no program of a model may run .*: a program can start processes; run"
    with pytest.raises(BadConfiguration, match=sentence):
        exam("programs", "HumanEval", list(PROBLEMS), runUntrustedCode=True)
    (opened,) = open_tasks(exam_config(tmp_path, [task("programs", "HumanEval", runUntrustedCode=True)]))
    (found,) = MEASURE.faults(opened, tmp_path)
    assert re.search(sentence, found), "also before a model is loaded"


@pytest.mark.parametrize(("template", "asked"), [(True, "dialogue"), (False, "continuation")])
def test_a_model_without_a_template_of_its_own_continues_the_prompt(exam, subject, tmp_path, monkeypatch, template, asked):
    if not template:
        monkeypatch.setattr("alignment_trainer.evaluation.measures.human_eval.read_source", lambda folder: None)
    rows = exam("programs", "HumanEval", list(PROBLEMS), runUntrustedCode=True)
    assert [(row.scores["pass_at_1"], row.details["asked"]) for row in rows] == [(0, asked)] * 2
    assert all(row.answer for row in rows)
