"""Decides which inputs own a stage's folder: equal ones resume, results of others are moved aside; what its manifest says."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignment_api.files import write_whole
from alignment_api.names import CHECKPOINTS_FOLDER, DONE_FILE, MANIFEST_FILE, METRICS_FILE, RUN_CONFIG_FILE
from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import limits

from alignment_trainer.workspace.environment import library_versions
from alignment_trainer.workspace.journal import latest_values
from alignment_trainer.workspace.stage_warnings import recorded_warnings

DATA_FOLDER = "data"
"""The rows of a stage as tokens."""

_OWNER_FILE = "input.json"


def is_done(config: RunConfig) -> bool:
    """Return whether this stage already has its result, for the same inputs."""
    done = Path(config.paths.stage) / DONE_FILE
    return done.exists() and done.read_text().strip() == config.input_hash and not _is_to_publish(config)


def _is_to_publish(config: RunConfig) -> bool:
    """Return whether a finished export was copied or judged as it is no longer asked for."""
    if KINDS[config.stage.kind].leaves != "Export":
        return False
    published = json.loads((Path(config.paths.stage) / MANIFEST_FILE).read_text())["settings"]
    settings = config.stage.settings
    return bool(limits(type(settings).parse_stored(published)) != limits(settings))


def is_ours(config: RunConfig) -> bool:
    """Return whether the folder was claimed for this stage's inputs."""
    return _owner(Path(config.paths.stage)) == config.input_hash


def holds_other_work(config: RunConfig) -> bool:
    """Return whether the folder was claimed for other inputs."""
    return _owner(Path(config.paths.stage)) not in (None, config.input_hash)


def is_prepared(config: RunConfig) -> bool:
    """Return whether the stage has its rows as tokens already, for the same inputs."""
    return is_ours(config) and (Path(config.paths.stage) / DATA_FOLDER).exists()


def claim(config: RunConfig) -> None:
    """Claim the stage's folder for this stage's inputs; the work of other inputs is renamed, not deleted."""
    stage = Path(config.paths.stage)
    owner = _owner(stage)
    if owner is not None and owner != config.input_hash:
        aside = _free_name(stage, owner)
        stage.rename(aside)
        print(
            f"{stage} holds the work of other inputs; it is moved to {aside}, and the stage starts from the beginning",
            file=sys.stderr,
            flush=True,
        )
    stage.mkdir(parents=True, exist_ok=True)
    write_whole(stage / _OWNER_FILE, json.dumps({"inputHash": config.input_hash}))
    # With this file, a later stage or `alignment sync` can ship what MLflow did not take.
    write_whole(stage / RUN_CONFIG_FILE, config.model_dump_json(by_alias=True, exclude_none=True))


def clear_unfinished(stage: Path) -> None:
    """Remove what an attempt did not finish: folders get a name without a dot when they are whole."""
    for folder in (*stage.glob(".*/"), *(stage / CHECKPOINTS_FOLDER).glob(".*/")):
        shutil.rmtree(folder, ignore_errors=True)


def manifest(config: RunConfig, **own: Any) -> dict[str, Any]:
    """Return what the manifest of a finished stage says: what was run, what is its kind's own, and what was measured."""
    stage = Path(config.paths.stage)
    return {
        "job": config.job.dump(),
        "stage": config.stage_name,
        "kind": config.stage.kind,
        "attempt": config.attempt,
        "inputHash": config.input_hash,
        "settings": config.stage.settings.dump(),
        **own,
        "metrics": latest_values(stage / METRICS_FILE),
        "warnings": recorded_warnings(stage),
        "versions": library_versions(),
    }


def finish(config: RunConfig, document: Mapping[str, Any]) -> None:
    """Write the manifest, then DONE: all else that the stage leaves is on the disk."""
    stage = Path(config.paths.stage)
    write_whole(stage / MANIFEST_FILE, json.dumps(document, indent=1))
    write_whole(stage / DONE_FILE, config.input_hash)


def _owner(stage: Path) -> str | None:
    file = stage / _OWNER_FILE
    return str(json.loads(file.read_text())["inputHash"]) if file.exists() else None


def _free_name(stage: Path, owner: str) -> Path:
    aside = stage.with_name(f"{stage.name}.{owner}")
    number = 1
    while aside.exists():
        number += 1
        aside = stage.with_name(f"{stage.name}.{owner}.{number}")
    return aside
