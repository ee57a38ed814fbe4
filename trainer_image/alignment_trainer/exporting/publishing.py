"""Publishes an exported model: its card, its copies, its version in the registry, then report, manifest and DONE."""

from pathlib import Path
from typing import Any

from alignment_api.files import write_whole
from alignment_api.names import MODEL_FOLDER
from alignment_api.results.export import ExportReport
from alignment_api.run_config import RunConfig

from alignment_trainer.exporting.copying.destinations import copy_everywhere
from alignment_trainer.exporting.describing.card import CARD_FILE, card_of
from alignment_trainer.exporting.original import Original
from alignment_trainer.exporting.report import figures, write_report
from alignment_trainer.settings.export import ExportSettings
from alignment_trainer.templates.source import template_hash
from alignment_trainer.tracking.model_registry import register
from alignment_trainer.workspace.stage_folder import finish, manifest


def publish(config: RunConfig, settings: ExportSettings, original: Original, report: ExportReport, tokenizer: Any) -> None:
    """Publish the model; each step is repeated by the next attempt without a second effect."""
    stage = Path(config.paths.stage)
    folder = stage / MODEL_FOLDER
    write_whole(folder / CARD_FILE, card_of(config, report, original.ancestors, settings.destinations))
    copy_everywhere(config, folder, report.written_weights, settings.destinations)
    report = report.model_copy(update={"destinations": settings.destinations})
    if settings.registered_model:
        report = report.model_copy(update={"registered": _registered(config, settings.registered_model, report)})
    write_report(stage, report)
    own = manifest(
        config,
        model=original.name,
        quantization=settings.quantization,
        templateHash=template_hash(tokenizer.chat_template),
        weights={"start": original.weights, "made": report.written_weights},
    )
    finish(config, own)


def _registered(config: RunConfig, name: str, report: ExportReport) -> str:
    """Return the name and version in the registry; its source is the first copy that others can reach."""
    tags = {name: f"{value:.6g}" for name, value in figures(report).items()}
    version = register(config, name, (report.destinations or [report.output])[0], tags | {"quantization": report.quantization})
    return f"{name}/{version}"
