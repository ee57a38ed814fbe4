"""What shapes the answers of a model is among the settings of each measure of answers: others are not ranked with them."""

import pytest
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
