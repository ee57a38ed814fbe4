"""What each measure says of its figures: the settings without which others are not ranked with them, and their units."""

import pytest
from alignment_api.results.units import unit_of
from alignment_trainer.checks.tasks import TASKS
from alignment_trainer.evaluation.measure import measure_of
from evaluated_jobs import exam_config, task, write_rows
from judged_exams import opened
from programming_problems import PROBLEMS

ROWS = {"References": {"prompt": "Why?", "reference": "So."}, "Refusals": {"prompt": "Why?"}, "HumanEval": PROBLEMS[0]}


@pytest.mark.parametrize("measure", ROWS)
def test_sampling_is_named(measure, tmp_path):
    write_rows(tmp_path, "task", [ROWS[measure]])
    consent = {"runUntrustedCode": True} if measure == "HumanEval" else {}
    asked = opened(
        exam_config(
            tmp_path, [task("task", measure, **consent)], sampling={"temperature": 0.3, "topP": 0.9, "maximumTokens": 7}, seed=5
        )
    )
    found = measure_of(asked).settings(asked)
    assert [found[name] for name in ("temperature", "top_p", "maximum_tokens", "seed")] == [0.3, 0.9, 7, 5]


ALL_ROWS = {
    **ROWS,
    "Refusals": {"prompt": "Why?", "label": "safe"},
    "MultipleChoice": {"question": "Why?", "choices": ["So.", "No."], "answer": 0},
    "Perplexity": {"text": "It is so."},
    "Preferences": {"prompt": "Why?", "chosen": "So.", "rejected": "No."},
    "MTBench": {"question_id": 1, "category": "math", "turns": ["Why?", "Why not?"]},
    "AlpacaEval": {"instruction": "Why?"},
}


@pytest.mark.parametrize("measure", [name for name in TASKS if name != "benchmark"])
def test_each_figure_has_a_unit(measure, tmp_path):
    write_rows(tmp_path, "task", [ALL_ROWS[measure]])
    others = {"HumanEval": {"runUntrustedCode": True}, "AlpacaEval": {"against": {"model": {"base": True}}}}.get(measure, {})
    judges = [{"baseUrl": "http://127.0.0.1:9", "model": "judge"}] if measure in ("MTBench", "AlpacaEval") else None
    asked = opened(exam_config(tmp_path, [task("task", measure, **others)], **({"judges": judges} if judges else {})))
    found = [metric.name for metric in measure_of(asked).metrics(asked)]
    assert found and [name for name in found if unit_of(name) is None] == []
