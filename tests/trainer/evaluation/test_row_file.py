"""Rows that several processes write beside each other, and that an attempt measures again."""

import json

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.evaluation.row_file import RowFile, has_score
from alignment_trainer.synthesis.sampling.process_lines import ProcessLines


def row(name, score, reason=None):
    return EvaluatedRow(key=name, row=name, prompt="", scores={"accuracy": score}, reason=reason)


@pytest.mark.parametrize(
    ("found", "is_measured"),
    [
        (row("a", 1.0), True),
        (row("a", 0.0), True),
        (row("a", 0.5, "the judge likes it"), True),
        (row("a", None, "no verdict"), False),
        (EvaluatedRow(key="a", row="a", prompt="", scores={}, details={"logps": -1.0}), True),
        (EvaluatedRow(key="a", row="a", prompt="", scores={}, reason="it is too long"), False),
    ],
)
def test_a_row_that_failed_is_measured_again(found, is_measured, tmp_path):
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([found])
        assert has_score(found) == is_measured
        assert file.known() == file.known_here() == ({"a"} if is_measured else frozenset())


def test_the_last_of_two_measurements_counts(tmp_path):
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", None, "no verdict"), row("b", 1.0)])
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", 0.0)])
        assert [(found.row, found.scores["accuracy"]) for found in file.read()] == [("a", 0.0), ("b", 1.0)]
        assert file.count() == 2


def test_rows_of_a_newer_trainer_are_continued(tmp_path):
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", 1.0)])
        file._files.append_line({**row("b", 0.0).dump(), "fieldOfTomorrow": 1})
        assert file.read() == [row("a", 1.0), row("b", 0.0)]


def test_counting_again_reads_only_what_is_new(tmp_path, monkeypatch):
    parsed = []
    with RowFile(tmp_path, "arc", "base") as file:
        file.append([row("a", 1.0), row("b", 1.0)])
        assert file.count() == 2
        original = json.loads
        monkeypatch.setattr("json.loads", lambda text: parsed.append(text) or original(text))
        file.append([row("b", 0.0), row("c", 1.0)])
        assert file.count() == file.count() == 3
    assert len(parsed) == 2


def test_two_stages_that_write_into_one_folder_lose_no_line(tmp_path):
    with ProcessLines(tmp_path, 0, "exam") as first:
        first.append_line({"row": 1})
        torn = first._own
        with torn.open("ab") as file:
            file.write(b'{"row": 2')
        with ProcessLines(tmp_path, 0, "other") as second:
            second.append_line({"row": 3})
            assert torn.read_bytes().endswith(b'{"row": 2')
            assert [line["row"] for line in second.lines()] == [1, 3]
        with torn.open("ab") as file:
            file.write(b"}\n")
        assert [line["row"] for line in first.lines()] == [1, 2, 3]
