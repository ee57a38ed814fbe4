"""The inputs of tutor-tiny.yaml are rows that its stages read; what measures is not taught, and pairs teach tone and truth."""

import json
import sys
from pathlib import Path

import pytest
from alignment_trainer.data.tasks.choices import read_choices
from alignment_trainer.data.tasks.references import read_references
from alignment_trainer.forms.rows import read_dialogue, read_pair

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def make_tutor():
    """The program that writes the inputs; those of the folder import each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(EXAMPLES)])
        return __import__("make_tutor")


@pytest.fixture(scope="module")
def inputs(make_tutor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutor-tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_tutor, "write_model", lambda folder, rows: None)
        make_tutor.write_inputs(folder, make_tutor.all_asked())
    return folder


@pytest.fixture(scope="module")
def asked(make_tutor):
    """The questions of the task, by their text."""
    return {one.question: one for one in make_tutor.all_asked()}


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_file_is_read_as_the_stage_reads_it(inputs):
    for name in ("general", "mathematics", "science", "held-out"):
        assert all(read_dialogue(row).form for row in rows(inputs / f"{name}.jsonl"))
    for name in ("preferences", "pairs"):
        assert all(read_pair(row).form for row in rows(inputs / f"{name}.jsonl"))
    quiz = [read_choices(row) for row in rows(inputs / "quiz.jsonl")]
    answers = [read_references(row) for row in rows(inputs / "answers.jsonl")]
    assert len(quiz) == len(answers) > 100
    for choices, referenced in zip(quiz, answers, strict=True):
        assert len(choices.texts) == 4
        assert all(choices.texts[choices.right] in reference for reference in referenced.references)


def question(row):
    """Return what a row of any of the files asks."""
    asked = row.get("question") or row.get("messages") or row["prompt"]
    return asked if isinstance(asked, str) else asked[0]["content"]


@pytest.mark.parametrize(
    ("part", "names"),
    [("Training", ("general", "mathematics", "science", "preferences")), ("Test", ("quiz", "answers", "pairs", "held-out"))],
)
def test_what_is_measured_was_neither_taught_nor_chosen_on(inputs, asked, part, names):
    assert {asked[question(row)].part for name in names for row in rows(inputs / f"{name}.jsonl")} == {part}


@pytest.mark.parametrize("name", ["preferences", "pairs"])
def test_neither_tone_nor_truth_alone_tells_the_answers_of_all_pairs_apart(inputs, asked, name):
    of = [(asked[question(row)], row) for row in rows(inputs / f"{name}.jsonl")]
    assert {one.quality(row["chosen"][0]["content"]) for one, row in of} == {"Polite"}
    rejected = [(one, row["rejected"][0]["content"]) for one, row in of]
    faults = {(one.quality(text) == "False", text.startswith(("Ugh!", "Whatever!", "Obviously!"))) for one, text in rejected}
    assert faults == {(False, True), (True, False), (True, True)}
