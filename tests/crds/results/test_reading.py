"""Reports and rows are read, and what is broken is one sentence."""

import json

import pytest
from alignment_api.results.evaluation import EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.results.reading import UnreadableReport, read_report, read_rows, rows_file
from reported import exported, report, row

REPORT = report({("arc", "accuracy", "base"): (0.3, 0.01)})


def test_what_a_trainer_writes_is_read() -> None:
    assert read_report(EvaluationReport, REPORT.model_dump_json(by_alias=True).encode(), "r") == REPORT
    assert read_report(ExportReport, exported().model_dump_json(by_alias=True).encode(), "r") == exported()
    rows = [row("a", 1.0), row("b", None)]
    assert read_rows("\n".join(one.model_dump_json(by_alias=True) for one in rows).encode(), "r") == rows


@pytest.mark.parametrize(
    ("situation", "content"),
    [
        ("empty", b""),
        ("cut", REPORT.model_dump_json().encode()[:-40]),
        ("not text", b"\xff\xfe"),
        ("a list", b"[]"),
        ("another version", json.dumps({**json.loads(REPORT.model_dump_json()), "version": "v2"}).encode()),
        ("a score without its model", json.dumps({**json.loads(REPORT.model_dump_json()), "models": []}).encode()),
    ],
)
def test_a_broken_report_is_a_sentence(situation: str, content: bytes) -> None:
    with pytest.raises(UnreadableReport, match=r"^evaluation/report.json (is not a report|has a score).*\.$") as found:
        read_report(EvaluationReport, content, "evaluation/report.json")
    assert "\n" not in str(found.value), situation


def test_a_broken_row_is_named_by_its_line() -> None:
    good = row("a", 1.0).model_dump_json()
    with pytest.raises(UnreadableReport, match=r"^rows/arc/base.jsonl, line 2 is not a row"):
        read_rows(f"{good}\n{good[:-3]}\n".encode(), "rows/arc/base.jsonl")


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "a/b", "a\\b"])
def test_a_name_that_is_no_files_is_refused(name: str) -> None:
    assert rows_file("arc", "base") == "rows/arc/base.jsonl"
    for task, model in ((name, "base"), ("arc", name)):
        with pytest.raises(UnreadableReport, match="is not the name of a task or a model"):
            rows_file(task, model)
