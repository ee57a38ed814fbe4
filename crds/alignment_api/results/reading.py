"""Reads reports and the rows beside them: fields of a newer trainer are left out, and a broken file is a sentence."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from alignment_api.names import ROWS_FOLDER
from alignment_api.problems import dotted, from_validation
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.spec.kinds import KINDS, Leaves

Report = TypeVar("Report", EvaluationReport, ExportReport)

EVALUATION_FOLDER, EXPORT_FOLDER = "evaluation", "export"
"""Where reports and rows are among the files of the stage's run in MLflow."""
_FOLDERS: dict[Leaves, str] = {"Report": EVALUATION_FOLDER, "Export": EXPORT_FOLDER}


class UnreadableReport(ValueError):
    """A file is not a report of this version; the message is a sentence."""


def read_report(form: type[Report], content: bytes, name: str) -> Report:
    """Read a report; the name is for the message."""
    try:
        found = form.model_validate_json(content, extra="ignore")
    except ValidationError as error:
        raise UnreadableReport(f"{name} is not a report that this version can read ({_why(error, form)}).") from error
    if isinstance(found, EvaluationReport):
        _require_named(found, name)
    return found


def run_folder(kind: str) -> str | None:
    """Return the folder of a stage's report in its run, by its kind; None if such stages write none."""
    return _FOLDERS.get(KINDS[kind].leaves) if kind in KINDS else None


def rows_file(task: str, model: str) -> str:
    """Return where the rows of a model in a task are, beside the report. Raises UnreadableReport for a name that is no file's."""
    for name in (task, model):
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise UnreadableReport(f"{name!r} is not the name of a task or a model.")
    return f"{ROWS_FOLDER}/{task}/{model}.jsonl"


def read_rows(content: bytes, name: str) -> list[EvaluatedRow]:
    """Read the rows of a model in a task, one JSON object a line."""
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            rows.append(EvaluatedRow.model_validate_json(line, extra="ignore"))
        except ValidationError as error:
            why = _why(error, EvaluatedRow)
            raise UnreadableReport(f"{name}, line {number} is not a row that this version can read ({why}).") from error
    return rows


def _why(error: ValidationError, form: type[BaseModel]) -> str:
    missing = [dotted(detail["loc"]) for detail in error.errors(include_url=False) if detail["type"] == "missing"]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        return f"it lacks {missing[0]}{more}; read it with the version that wrote it"
    return str(from_validation(error, form)[0])


def _require_named(report: EvaluationReport, name: str) -> None:
    """Refuse a report whose scores name models or tasks that it does not list."""
    models, tasks = {model.name for model in report.models}, {task.name for task in report.tasks}
    for score in report.scores:
        if score.model not in models or score.task not in tasks:
            raise UnreadableReport(f"{name} has a score of {score.model} in {score.task}, which it does not list.")
