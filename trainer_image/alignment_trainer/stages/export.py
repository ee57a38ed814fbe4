"""Writes a model for serving, proves what was written, and copies it to where it is wanted."""

from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from alignment_api.results.export import ExportReport
from alignment_api.run_config import RunConfig

from alignment_trainer.checks.exports import check_format
from alignment_trainer.exporting.limits import excesses
from alignment_trainer.exporting.original import Original, find_original
from alignment_trainer.exporting.proving.proof import prove
from alignment_trainer.exporting.publishing import publish
from alignment_trainer.exporting.report import report_of, write_metrics, write_report
from alignment_trainer.exporting.texts import calibration
from alignment_trainer.exporting.writing.model import Written, forget, write_model
from alignment_trainer.failures import BrokenExport, UnfaithfulExport
from alignment_trainer.model_folder.documents import COPY, read_object
from alignment_trainer.model_folder.fitness import CONFIGURATION
from alignment_trainer.model_folder.start import start_name
from alignment_trainer.models.load_faults import loading
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.export import ExportSettings, export_settings
from alignment_trainer.synthesis.first_process import on_first_process
from alignment_trainer.synthesis.student import free


def run(config: RunConfig) -> None:
    """Write, prove and publish the model; one process does it, and all others wait."""
    settings = export_settings(config)
    original = find_original(config)
    # Of a model of the Hub, nothing was known before.
    check_format(config, settings, read_object(original.folder / CONFIGURATION, COPY))
    on_first_process(lambda: _export(config, settings, original))


def _export(config: RunConfig, settings: ExportSettings, original: Original) -> None:
    stage = Path(config.paths.stage)
    with loading("its tokenizer", start_name(config)):
        tokenizer = load_tokenizer(original.folder, settings.chat_template, needs_answers=False)
    written = _write(config, settings, original, tokenizer)
    # Another process loads the model for its proof, on the same GPU.
    free()
    try:
        proven = prove(config, settings, original, written, tokenizer, PartialState().device)
        report = report_of(config.paths.workspace, settings, original, written, proven)
    except BrokenExport:
        forget(stage)
        raise
    write_report(stage, report)
    write_metrics(stage, report)
    _refuse_unfaithful(settings, report)
    publish(config, settings, original, report, tokenizer)


def _write(config: RunConfig, settings: ExportSettings, original: Original, tokenizer: Any) -> Written:
    stage, device = Path(config.paths.stage), PartialState().device
    texts = partial(calibration, config, settings, tokenizer, original.folder)
    return write_model(stage, original, settings.quantization, tokenizer, device, texts)


def _refuse_unfaithful(settings: ExportSettings, report: ExportReport) -> None:
    if settings.proof is None or report.original is None or report.written is None:
        return
    found = excesses(report.limits, report.original, report.written)
    if found:
        raise UnfaithfulExport(
            f"{settings.proof.path}: the {settings.quantization} model is too far from the original: {'; '.join(found)}; choose "
            f"another quantization or raise the limit. Both are kept: {report.output} and the model of {report.model}"
        )
