"""Reports and rows are read, and what is broken is one sentence."""

import json
from typing import Any

import pytest
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.results.reading import UnreadableReport, read_report, read_rows, rows_file
from pydantic import BaseModel, ValidationError
from reported import exported, report, row

REPORT = report({("arc", "accuracy", "base"): (0.3, 0.01)})


def test_what_a_trainer_writes_is_read() -> None:
    assert read_report(EvaluationReport, REPORT.model_dump_json(by_alias=True).encode(), "r") == REPORT
    assert read_report(ExportReport, exported().model_dump_json(by_alias=True).encode(), "r") == exported()
    rows = [row("a", 1.0), row("b", None)]
    assert read_rows("\n".join(one.model_dump_json(by_alias=True) for one in rows).encode(), "r") == rows


def with_new_fields(document: Any) -> Any:
    """Return a document of a newer trainer: each object has one field more."""
    if isinstance(document, list):
        return [with_new_fields(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {**{name: with_new_fields(value) for name, value in document.items()}, "fieldOfTomorrow": {"limit": 0.05}}


@pytest.mark.parametrize("report", [REPORT, exported()], ids=["evaluation", "export"])
def test_a_report_of_a_newer_trainer_is_read_without_its_new_fields(report: EvaluationReport | ExportReport) -> None:
    newer = with_new_fields(report.model_dump(mode="json", by_alias=True))
    # The settings of a task and the details of a row are free: their names are not fields.
    for task in newer.get("tasks", []):
        del task["settings"]["fieldOfTomorrow"]
    for size in (newer.get("before", {}), newer.get("after", {})):
        size.get("dtypes", {}).pop("fieldOfTomorrow", None)
    assert read_report(type(report), json.dumps(newer).encode(), "r") == report


def test_a_row_of_a_newer_trainer_is_read_without_its_new_fields() -> None:
    line = json.dumps({**json.loads(row("a", 1.0).model_dump_json(by_alias=True)), "fieldOfTomorrow": 1})
    assert read_rows(line.encode(), "r") == [row("a", 1.0)]


@pytest.mark.parametrize("form", [EvaluationReport, ExportReport, EvaluatedRow])
def test_a_trainer_writes_no_field_that_it_does_not_know(form: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        form.model_validate({"fieldOfTomorrow": 1})


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (["models"], "it lacks models; read it with the version that wrote it"),
        (["models", "tasks", "scores"], "it lacks models and 2 more; read it with the version that wrote it"),
    ],
)
def test_a_report_without_a_required_field_is_one_sentence(missing: list[str], why: str) -> None:
    document = REPORT.model_dump(mode="json", by_alias=True, exclude=set(missing))
    with pytest.raises(UnreadableReport) as found:
        read_report(EvaluationReport, json.dumps(document).encode(), "evaluation/report.json of stage eval")
    assert str(found.value) == f"evaluation/report.json of stage eval is not a report that this version can read ({why})."


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
    lacking = row("b", 1.0).model_dump_json(exclude={"prompt"})
    with pytest.raises(UnreadableReport, match=r"^r, line 2 is not a row that this version can read \(it lacks prompt; read"):
        read_rows(f"{good}\n{lacking}\n".encode(), "r")


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "a/b", "a\\b"])
def test_a_name_that_is_no_files_is_refused(name: str) -> None:
    assert rows_file("arc", "base") == "rows/arc/base.jsonl"
    for task, model in ((name, "base"), ("arc", name)):
        with pytest.raises(UnreadableReport, match="is not the name of a task or a model"):
            rows_file(task, model)
