"""Estimates the room on the workspace volume that the rows of a stage need as tokens."""

from pathlib import Path

from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.checks.datasets import Findings
from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.data.mixture import used_rows
from alignment_trainer.model_folder.room import Part
from alignment_trainer.reading.row_files import files_in
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.paths import workspace_path
from alignment_trainer.workspace.stage_folder import DATA_FOLDER

_TEXT_BYTES = 4
"""Of a token, in English; other languages have fewer, but a file holds more than the texts of its rows."""


def rows_to_write(config: RunConfig, findings: Findings) -> Part | None:
    """Return the rows that are still to be written as tokens; None if there are none."""
    if not kind_of(config).token_bytes or (Path(config.paths.stage) / DATA_FOLDER).exists():
        return None
    settings, size = training_settings(config), 0.0
    for index, dataset in enumerate(settings.datasets):
        rows = findings.counts.get(f"{settings.datasets_path}[{index}]", 0)
        used = used_rows(dataset, rows)
        tokens = min(file_bytes(dataset, config) * used / max(1, rows) / _TEXT_BYTES, used * settings.max_length)
        size += tokens * kind_of(config).token_bytes
    return Part("its rows as tokens", int(size)) if size else None


def file_bytes(dataset: Dataset, config: RunConfig) -> int:
    """Return the size of a dataset on the workspace volume; 0 for others, whose files the volume need not hold."""
    if dataset.stage:
        folder = Path((config.paths.stage_rows or {}).get(dataset.stage, ""))
    elif dataset.source.startswith(WORKSPACE_PREFIX):
        folder = workspace_path(dataset.source, config.paths.workspace)
    else:
        return 0
    return sum(file.stat().st_size for file in (files_in(folder) if folder.is_dir() else [folder]) if file.is_file())
