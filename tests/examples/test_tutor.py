"""The inputs of tutor-tiny.yaml are rows that its stages read, and no question to measure with is taught."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alignment_trainer.data.tasks.choices import read_choices
from alignment_trainer.data.tasks.references import read_references
from alignment_trainer.forms.rows import read_dialogue, read_pair

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    subprocess.run([sys.executable, EXAMPLES / "make_tutor.py", "--workspace", workspace], check=True, capture_output=True)
    return workspace / "inputs/tutor-tiny"


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_file_is_read_as_the_stage_reads_it(inputs):
    for name in ("mathematics", "science", "held-out"):
        assert all(read_dialogue(row).form for row in rows(inputs / f"{name}.jsonl"))
    assert all(read_pair(row).form for row in rows(inputs / "preferences.jsonl"))
    quiz = [read_choices(row) for row in rows(inputs / "quiz.jsonl")]
    answers = [read_references(row) for row in rows(inputs / "answers.jsonl")]
    assert len(quiz) == len(answers) > 50
    for choices, referenced in zip(quiz, answers, strict=True):
        assert len(choices.texts) == 4
        assert all(choices.texts[choices.right] in reference for reference in referenced.references)


def test_what_is_measured_was_not_taught(inputs):
    taught = {row["messages"][0]["content"] for name in ("mathematics", "science") for row in rows(inputs / f"{name}.jsonl")}
    taught |= {row["prompt"][0]["content"] for row in rows(inputs / "preferences.jsonl")}
    assert not taught & {row["question"] for name in ("quiz", "answers") for row in rows(inputs / f"{name}.jsonl")}
