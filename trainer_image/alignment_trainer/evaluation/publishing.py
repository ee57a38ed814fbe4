"""Publishes what a stage has measured: the rows, the report, the manifest, then DONE; each is complete before the next begins."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from alignment_api import metrics
from alignment_api.files import write_folder, write_lines, write_whole
from alignment_api.names import REPORT_FILE, ROWS_FOLDER
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from alignment_api.run_config import RunConfig

from alignment_trainer.evaluation.report import Measured
from alignment_trainer.evaluation.row_file import MEASURED_FOLDER
from alignment_trainer.workspace.samples import Sample, Samples
from alignment_trainer.workspace.stage_folder import finish, manifest

_SHOWN = 4
"""Of each task; all rows are files of the stage."""


def publish_report(config: RunConfig, report: EvaluationReport, measured: Sequence[Measured]) -> None:
    """Write the rows and the report: also those of a stage that then fails."""
    stage = Path(config.paths.stage)
    _write_rows(stage, measured)
    write_whole(stage / REPORT_FILE, report.model_dump_json(by_alias=True, indent=1))


def publish_samples(config: RunConfig, report: EvaluationReport, measured: Sequence[Measured]) -> None:
    """Show a few answers of each model to the same prompts, a step for each model."""
    samples = Samples(Path(config.paths.stage))
    steps = sum(task.rows for task in report.tasks)
    for number, model in enumerate(report.models, start=1):
        shown = [row for one in measured for row in one.rows[model.name][:_SHOWN] if row.answer is not None]
        samples.append([_sample(number * steps, row) for row in shown])


def publish_end(config: RunConfig, report: EvaluationReport) -> None:
    """Write the manifest and DONE, and remove what is published."""
    models = {model.name: model.weights for model in report.models}
    rows = {task.name: task.rows for task in report.tasks}
    finish(config, manifest(config, models=models, rows=rows))
    shutil.rmtree(Path(config.paths.stage) / MEASURED_FOLDER, ignore_errors=True)


def main_scores(report: EvaluationReport) -> dict[str, float]:
    """Return the main scores with their standard errors, as metrics."""
    found: dict[str, float] = {}
    for score in report.scores:
        name = metrics.evaluated_of(score.task, score.metric, score.model)
        if score.is_main and score.estimate.value is not None:
            found[name] = score.estimate.value
            if score.estimate.error is not None:
                found[f"{name}_error"] = score.estimate.error
    return found


def _sample(step: int, row: EvaluatedRow) -> Sample:
    return Sample(step=step, key=row.key, prompt=row.prompt, reference=row.reference, policy=row.answer or "")


def _write_rows(stage: Path, measured: Sequence[Measured]) -> None:
    def write(folder: Path) -> None:
        for one in measured:
            _write_task(folder / one.task.name, one.rows)

    write_folder(stage / ROWS_FOLDER, write)


def _write_task(folder: Path, rows: Mapping[str, Sequence[EvaluatedRow]]) -> None:
    folder.mkdir()
    for model, found in rows.items():
        write_lines(folder / f"{model}.jsonl", (row.dump() for row in found))
