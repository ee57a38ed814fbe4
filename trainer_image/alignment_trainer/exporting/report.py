"""The report of an export: what was written and how close it is, also as metrics."""

import json
from pathlib import Path

from alignment_api import metrics
from alignment_api.files import write_whole
from alignment_api.names import REPORT_FILE, WORKSPACE_PREFIX
from alignment_api.results.export import ExportReport

from alignment_trainer.exporting.formats import FORMATS
from alignment_trainer.exporting.limits import limits_of, size_fault
from alignment_trainer.exporting.linear import linear_layers
from alignment_trainer.exporting.original import Original
from alignment_trainer.exporting.proving.request import Proven
from alignment_trainer.exporting.sizes import size_of
from alignment_trainer.exporting.writing.model import Written
from alignment_trainer.failures import BrokenExport
from alignment_trainer.settings.export import ExportSettings
from alignment_trainer.workspace.journal import Journal


def report_of(workspace: str, settings: ExportSettings, original: Original, written: Written, proven: Proven) -> ExportReport:
    """Return the report, from the headers of the files and the proof."""
    layers = linear_layers(original.folder)
    after = size_of(written.folder, layers)
    fault = size_fault(settings.quantization, sum(layers.values()), after)
    if fault:
        raise BrokenExport(f"{written.folder} {fault}; the stage writes it again")
    likeness = proven.likeness
    return ExportReport(
        quantization=settings.quantization,
        model=original.name,
        weights=original.weights,
        written_weights=written.weights,
        output=f"{WORKSPACE_PREFIX}{written.folder.relative_to(workspace).as_posix()}",
        before=size_of(original.folder, layers),
        after=after,
        original=likeness.original if likeness else None,
        rounded=likeness.rounded if likeness else None,
        written=likeness.written if likeness else None,
        tokens=likeness.tokens if likeness else 0,
        limits=limits_of(settings.proof, likeness.original, likeness.written) if likeness and settings.proof else [],
        ends_its_answers=proven.ends_its_answers,
        notes=_notes(settings.quantization, proven),
    )


def write_report(stage: Path, report: ExportReport) -> None:
    """Write the report for later stages and other programs."""
    write_whole(stage / REPORT_FILE, json.dumps(report.dump(), indent=1))


def write_metrics(stage: Path, report: ExportReport) -> None:
    """Write the figures of the report to the stage's journal, from which MLflow gets them."""
    Journal(stage).append(1, figures(report), {})


def figures(report: ExportReport) -> dict[str, float]:
    """Return the figures of the report by the names of their metrics."""
    estimates = {
        metrics.EXPORT_PERPLEXITY_BEFORE: report.original and report.original.perplexity,
        metrics.EXPORT_PERPLEXITY: report.written and report.written.perplexity,
        metrics.EXPORT_DIVERGENCE: report.written and report.written.divergence,
        metrics.EXPORT_AGREEMENT: report.written and report.written.agreement,
    }
    values = {name: found.value for name, found in estimates.items() if found and found.value is not None}
    return {**values, metrics.EXPORT_SIZE_RATIO: report.after.all_bytes / report.before.all_bytes}


def _notes(quantization: str, proven: Proven) -> list[str]:
    notes = []
    package = FORMATS[quantization].package
    if package:
        notes.append(f"transformers loads it where the package {package} is installed")
    if proven.likeness is None:
        notes.append("only its form was checked: the stage has no proof, so nothing is known of its answers")
    if not proven.ends_its_answers:
        notes.append("its greedy answers to the first prompts did not end")
    return notes
