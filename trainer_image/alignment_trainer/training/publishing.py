"""Publishes a stage's result: the model, then the manifest, then DONE; each is complete before the next begins."""

import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from alignment_api.files import flush, write_folder
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE, MODEL_FOLDER
from alignment_api.resolving.training_warnings import warnings_at_end
from alignment_api.run_config import RunConfig

from alignment_trainer.model_folder.weights import empty_tensors, weights_digest
from alignment_trainer.models import merging
from alignment_trainer.settings.training import Settings
from alignment_trainer.templates.source import template_hash
from alignment_trainer.workspace.activity import advancing
from alignment_trainer.workspace.checkpoints import Checkpoint, clear_staging, newest_verified
from alignment_trainer.workspace.stage_folder import finish, manifest
from alignment_trainer.workspace.stage_warnings import warn

ADAPTER_FOLDER = "adapter"
_MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json")
_TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.jinja",
    "additional_chat_templates/*.jinja",
)
PUBLISHED_FILES = (*_MODEL_FILES, *_TOKENIZER_FILES)
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")


class Trained(NamedTuple):
    """What publishing needs of the training, beside the last checkpoint."""

    settings: Settings
    tokenizer: Any
    report: dict[str, Any]
    """How many rows were used, cut and dropped, and why."""
    start: Path
    start_digest: str


def publish(config: RunConfig, trained: Trained) -> None:
    """Write model, manifest and DONE from the last checkpoint; only the first process does."""
    # The trainer's objects hold each other in cycles, and GPU memory until these are collected.
    gc.collect()
    torch.cuda.empty_cache()
    if not PartialState().is_main_process:
        return
    stage = Path(config.paths.stage)
    checkpoint = newest_verified(stage)
    assert checkpoint is not None and checkpoint.is_last, "training ends with a checkpoint of its last step"
    if trained.settings.adapter:
        publish_folder(stage / ADAPTER_FOLDER, lambda folder: link_files(checkpoint.folder, folder, ADAPTER_FILES))
        publish_folder(stage / MODEL_FOLDER, lambda folder: _merge(trained, stage / ADAPTER_FOLDER, folder))
    else:
        publish_folder(stage / MODEL_FOLDER, lambda folder: link_files(checkpoint.folder, folder, PUBLISHED_FILES))
    warn(stage, warnings_at_end(config, read_points(stage / METRICS_FILE)))
    clear_staging(stage)
    finish(config, _manifest(config, checkpoint, trained))


def publish_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Write a folder of weights beside its name, and give it the name when all of it is on the disk."""

    def write_weights(staged: Path) -> None:
        write(staged)
        empty = empty_tensors(staged)
        assert not empty, f"{empty[0]} and {len(empty) - 1} more tensors were saved empty"
        files = [path for path in staged.rglob("*") if path.is_file()]
        with advancing(f"flushing the {target.name} to disk", sum(path.stat().st_size for path in files), "bytes") as advance:
            for path in files:
                # Some libraries write files that only their own user can read; other users need the model too.
                path.chmod(0o644)
                flush(path)
                advance(path.stat().st_size)

    write_folder(target, write_weights)


def link_files(source: Path, target: Path, patterns: tuple[str, ...]) -> None:
    """Fill a folder with another one's files, by hard links where the volume has them."""
    paths = sorted({path for pattern in patterns for path in source.glob(pattern)})
    with advancing(f"publishing {source.name}", sum(path.stat().st_size for path in paths), "bytes") as advance:
        for path in paths:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(exist_ok=True)
            try:
                # A hard link: the checkpoint never changes, and removing it leaves the linked file.
                os.link(path, copy)
            except OSError:
                shutil.copyfile(path, copy)
            advance(path.stat().st_size)


def _merge(trained: Trained, adapter: Path, target: Path) -> None:
    merging.merge(trained.start, adapter, trained.settings, target, PartialState().device)
    trained.tokenizer.save_pretrained(target)


def _manifest(config: RunConfig, checkpoint: Checkpoint, trained: Trained) -> dict[str, Any]:
    stage = Path(config.paths.stage)
    return manifest(
        config,
        steps=checkpoint.step,
        worldSize=config.world_size,
        **trained.report,
        templateHash=template_hash(trained.tokenizer.chat_template),
        adaptedLayers=_adapted_layers(stage / ADAPTER_FOLDER),
        weights={"start": trained.start_digest, "made": weights_digest(stage / MODEL_FOLDER)},
    )


def _adapted_layers(adapter: Path) -> list[str] | None:
    file = adapter / "adapter_config.json"
    return sorted(json.loads(file.read_text())["target_modules"]) if file.exists() else None
